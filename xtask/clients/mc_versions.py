"""mc: versions, undo, retention, legal holds and tags, against a model."""

import json
import os
from urllib.parse import urlsplit

from command import runner
from session import arguments, equal, run

BUCKET, LOCKED = "mc-versions", "mc-locked"
args = arguments()
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
keys = ":".join(os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
mc = runner(
    os.environ["MC"], "--config-dir", str(args.work / "config"), "--json", "--disable-pager",
    environment=os.environ | {"MC_HOST_carob": f"http://{keys}@{endpoint}"},
)  # fmt: skip
# The bodies of each key's versions, the oldest first; None for a delete marker.
model: dict[str, list[bytes | None]] = {}
target = args.work / "body"


def at(key: str = "", bucket: str = BUCKET) -> str:
    return f"carob/{bucket}/{key}"


def answers(*arguments: str) -> list[dict]:
    return [json.loads(line) for line in mc(*arguments).splitlines()]


def refused(message: str, *arguments: str) -> None:
    text = mc(*arguments, ok=False)
    assert message in text, f"{arguments}: {text!r} says nothing of {message!r}"


def put(key: str, body: bytes, bucket: str = BUCKET) -> None:
    source = args.work / "source"
    source.write_bytes(body)
    mc("cp", str(source), at(key, bucket))
    if bucket == BUCKET:
        model.setdefault(key, []).append(body)


def delete(key: str) -> None:
    mc("rm", at(key))
    model[key].append(None)


def versions(bucket: str = BUCKET) -> dict[str, list[tuple[str, bool, int]]]:
    """Id, whether a delete marker, and size, of each key's versions, the oldest first."""
    found: dict[str, list] = {}
    for entry in answers("ls", "--recursive", "--versions", at(bucket=bucket)):
        place = entry["versionOrdinal"], (entry["versionId"], entry.get("isDeleteMarker", False), entry["size"])
        found.setdefault(entry["key"], []).append(place)
    return {key: [entry for _, entry in sorted(entries)] for key, entries in found.items()}


def read(key: str, version: str, bucket: str = BUCKET) -> bytes:
    target.unlink(missing_ok=True)
    mc("cp", "--version-id", version, at(key, bucket), str(target))
    return target.read_bytes()


def as_in_the_model() -> None:
    found = versions()
    shown = {key: [(marker, size) for _, marker, size in entries] for key, entries in found.items()}
    want = {key: [(body is None, len(body or b"")) for body in bodies] for key, bodies in model.items() if bodies}
    equal("versions", shown, want)
    for key, bodies in model.items():
        for (version, marker, _), body in zip(found.get(key, []), bodies):
            if not marker:
                equal(f"{key} {version}", read(key, version), body)
    current = {entry["key"]: entry["size"] for entry in answers("ls", "--recursive", at())}
    equal("current", current, {key: len(b[-1]) for key, b in model.items() if b and b[-1] is not None})


def versioned():
    mc("mb", at())
    mc("version", "enable", at())
    equal("status", answers("version", "info", at())[0]["versioning"]["status"], "Enabled")


def history():
    for n, key in enumerate(["plain", "a/1", "a/2 ü+%", "plain", "a/1", "plain", "a/b/c"]):
        put(key, f"{n} {key}".encode())
    delete("a/1")
    delete("plain")
    put("plain", b"over the marker")
    as_in_the_model()


def undone():
    mc("undo", at("a/1"))
    model["a/1"].pop()
    as_in_the_model()
    mc("undo", "--last", "2", at("plain"))
    del model["plain"][-2:]
    as_in_the_model()
    for key in ("a/1", "a/2 ü+%", "a/b/c"):
        delete(key)
    mc("undo", "--recursive", "--force", "--action", "DELETE", at("a/"))
    for key in ("a/1", "a/2 ü+%", "a/b/c"):
        model[key].pop()
    as_in_the_model()


def an_old_version_is_restored():
    oldest = versions()["plain"][0][0]
    mc("cp", "--version-id", oldest, at("plain"), at("plain"))
    model["plain"].append(model["plain"][0])
    as_in_the_model()
    refused("Object does not exist", "stat", "--version-id", "0" * 32, at("plain"))


def tags():
    old, new = (version for version, *_ in versions()["a/1"])
    mc("tag", "set", "--version-id", old, at("a/1"), "x=1&y=two words")
    mc("tag", "set", at("a/1"), "z=3")
    tags_of = lambda version: answers("tag", "list", "--version-id", version, at("a/1"))[0].get("tagset", {})  # noqa: E731
    equal("of the old", tags_of(old), {"x": "1", "y": "two words"})
    equal("of the new", tags_of(new), {"z": "3"})
    mc("tag", "remove", at("a/1"))
    equal("removed", tags_of(new), {})
    equal("still of the old", tags_of(old), {"x": "1", "y": "two words"})
    mc("tag", "set", at(), "of=the bucket")
    equal("bucket", answers("tag", "list", at())[0]["tagset"], {"of": "the bucket"})


def retained():
    mc("mb", "--with-lock", at(bucket=LOCKED))
    mc("retention", "set", "--default", "governance", "2d", at(bucket=LOCKED))
    rule = answers("retention", "info", "--default", at(bucket=LOCKED))[0]
    equal("rule", (rule["enabled"], rule["mode"], rule["validity"]), ("Enabled", "GOVERNANCE", "2DAYS"))
    put("k", b"kept", LOCKED)
    version = versions(LOCKED)["k"][0][0]
    info = lambda: answers("retention", "info", "--version-id", version, at("k", LOCKED))[0]  # noqa: E731
    equal("by default", info()["mode"], "GOVERNANCE")
    first = info()["until"]
    mc("retention", "set", "--version-id", version, "governance", "30d", at("k", LOCKED))
    assert info()["until"] > first, f"{info()} is not later than {first}"
    this = ("--version-id", version, at("k", LOCKED))
    refused("protected by object lock", "rm", *this)
    mc("rm", at("k", LOCKED))
    equal("under the marker", [entry[1] for entry in versions(LOCKED)["k"]], [False, True])
    equal("body", read("k", version, LOCKED), b"kept")
    mc("undo", at("k", LOCKED))
    equal("marker", [entry[1] for entry in versions(LOCKED)["k"]], [False])

    mc("legalhold", "set", *this)
    equal("hold", answers("legalhold", "info", *this)[0]["legalhold"], "ON")
    refused("protected by object lock", "rm", "--bypass", *this)
    mc("legalhold", "clear", *this)
    equal("no hold", answers("legalhold", "info", *this)[0]["legalhold"], "OFF")
    mc("rm", "--bypass", *this)
    equal("left over", versions(LOCKED), {})
    mc("rb", at(bucket=LOCKED))


def remove():
    mc("rm", "--versions", "--recursive", "--force", at())
    equal("left over", versions(), {})
    mc("rb", at())


run(versioned, history, undone, an_old_version_is_restored, tags, retained, remove)
