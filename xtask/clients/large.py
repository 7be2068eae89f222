"""Bodies too large to hold in memory, made and compared MiB by MiB."""

import functools
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30


@functools.cache
def _noise(seed: int) -> bytes:
    return random.Random(f"large/{seed}").randbytes(2 * MIB)


def piece(name: str, index: int, seed: int) -> bytes:
    """MiB `index` of a body: a stamp, then a stretch of noise, which is quicker to make than new noise."""
    stamp = hashlib.blake2b(f"{seed}/{name}/{index}".encode(), digest_size=32).digest()
    start = int.from_bytes(stamp[:4]) % MIB
    return stamp + _noise(seed)[start : start + MIB - len(stamp)]


def pieces(name: str, size: int, seed: int) -> Iterator[bytes]:
    """The body of `size` bytes that follows from name and seed; no two MiB of it are equal."""
    for start in range(0, size, MIB):
        yield piece(name, start // MIB, seed)[: size - start]


def write(path: Path, name: str, size: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in pieces(name, size, seed):
            file.write(piece)


def compare(read, name: str, size: int, seed: int) -> None:
    """Fails unless the stream behind `read(n)` gives exactly that body."""
    at = 0
    for piece in pieces(name, size, seed):
        got = bytearray()
        while len(got) < len(piece) and (more := read(len(piece) - len(got))):
            got += more
        assert got == piece, f"{name}: other bytes in the MiB at {at} ({len(got)} of {len(piece)} came)"
        at += len(piece)
    assert not read(1), f"{name}: longer than {size} bytes"


def compare_file(path: Path, name: str, size: int, seed: int) -> None:
    with path.open("rb") as file:
        compare(file.read, name, size, seed)
