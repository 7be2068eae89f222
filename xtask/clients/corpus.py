"""The objects that every client uploads: a seeded tree of files with awkward names."""

import hashlib
import os
import random
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20

# Names that a file system and every client can hold.
AWKWARD_PATHS = [
    "with space", " leading space", "trailing space ", "two  spaces",
    "plus+plus", "percent%", "percent%20twenty", "percent%2Fslash", "%", "%%41",
    "amp&amp;and", "<tag>", 'double"quote', "single'quote", "back\\slash",
    "hash#fragment", "question?mark=1&x=2", "semi;colon", "comma,equals=", "at@colon:", "dollar$",
    "star*", "(round)[square]{curly}", "pipe|caret^`tick", "tilde~", "exclaim!", "-dash-first",
    ".hidden", ".hidden.d/.more", "dots...", "ünïcödé", "e\u0301 combining", "\u00e9 composed",
    "日本語/ファイル.txt", "العربية", "🦀 crab", "👩‍👩‍👧 joined", "\u200bzero width", "\ufeffmark",
    "\uff0ffullwidth slash", "\U0010fffd last plane",
    "deep/" * 20 + "leaf", "dir/file", "dir.txt", "dir-/file", "dir0", "UPPER", "upper",
    "/".join(["n" * 200] * 5) + "/" + "n" * 19,  # 1024 bytes
]

# Names that need a client which sends keys as given. Segments "." and ".." are left out: the HTTP
# libraries below the clients resolve them before anything is sent.
AWKWARD_KEYS = [
    "a", "a/", "a/b", "a//b", "a///", "/", "//", "/leading slash", "trailing slash/", "a b/c d/",
    "new\nline", "carriage\rreturn", "tab\tstop", "both\r\n", " ", "+", "?", "#", "=", "\\",
    "k" * 1024, "é" * 512, "🦀" * 256, "\ufffd",
]

# Names that XML 1.0 cannot carry, so that DeleteObjects cannot name them.
CONTROL_KEYS = ["nul\x00byte", "\uffff not a character", "soh\x01", "bell\x07", "escape\x1b", "unit\x1f", "\x02"]


@dataclass(frozen=True)
class File:
    """An object or file: its name, and a body that follows from name, size and seed."""

    name: str
    size: int
    seed: int

    def body(self) -> bytes:
        return random.Random(f"{self.seed}/{self.name}").randbytes(self.size)

    def etag(self) -> str:
        return f'"{hashlib.md5(self.body()).hexdigest()}"'


def _size(rng: random.Random) -> int:
    """0 B to 7 MiB: mostly small, with the edges of a 1 MiB block."""
    kind = rng.random()
    if kind < 0.04:
        return 0
    if kind < 0.55:
        return rng.randint(1, 8 << 10)
    if kind < 0.90:
        return rng.randint(8 << 10, 128 << 10)
    if kind < 0.94:
        return MIB + rng.randint(-1, 1)
    if kind < 0.98:
        return rng.randint(128 << 10, 2 * MIB)
    return rng.randint(2 * MIB, 7 * MIB)


def paths(count: int, seed: int) -> list[File]:
    """`count` files that a local directory can hold, the awkward ones among them."""
    rng = random.Random(f"paths/{seed}")
    names = list(AWKWARD_PATHS)
    while len(names) < count:
        depth = rng.randint(1, 4)
        names.append("/".join(f"d{rng.randint(0, 9)}" for _ in range(depth)) + f"/file-{len(names)}.bin")
    fixed = [0, 1, MIB - 1, MIB, MIB + 1, 7 * MIB]
    return [File(name, fixed[n] if n < len(fixed) else _size(rng), seed) for n, name in enumerate(names)]


def keys(count: int, seed: int) -> list[File]:
    """`count` objects, with keys that no directory holds as well."""
    rng = random.Random(f"keys/{seed}")
    extra = [File(name, rng.randint(0, 4096), seed) for name in AWKWARD_KEYS + CONTROL_KEYS]
    return paths(max(count - len(extra), 0), seed) + extra


def write_tree(files: list[File], root: Path) -> None:
    for file in files:
        path = root / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.body())


def compare_tree(files: list[File], root: Path) -> None:
    """Fails unless `root` holds exactly `files`, byte for byte."""
    found = {os.path.join(where, name) for where, _, names in os.walk(root) for name in names}
    wanted = {os.path.join(root, file.name) for file in files}
    assert found == wanted, f"missing {sorted(wanted - found)[:5]}, extra {sorted(found - wanted)[:5]}"
    for file in files:
        assert (root / file.name).read_bytes() == file.body(), f"{file.name!r} came back with other bytes"
