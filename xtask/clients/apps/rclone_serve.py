"""rclone: sync and check by hash, streams, copies and moves on the server, and a bucket served by HTTP and WebDAV."""

import os
import random

import corpus
from app import ENDPOINT, free_port, http, keys, report, s3, server, until, version
from command import runner
from session import arguments, equal

BUCKET = "rclone-serve"
MIB = 1 << 20
args = arguments()
rng = random.Random(args.seed)
files = corpus.paths(args.files, args.seed)
sizes = {f.name: f.size for f in files}
up, down = args.work / "up", args.work / "down"
environment = os.environ | {
    "RCLONE_CONFIG": "/dev/null",
    "RCLONE_CONFIG_CAROB_TYPE": "s3",
    "RCLONE_CONFIG_CAROB_PROVIDER": "Other",
    "RCLONE_CONFIG_CAROB_ENV_AUTH": "true",
    "RCLONE_CONFIG_CAROB_REGION": os.environ["AWS_REGION"],
    "RCLONE_CONFIG_CAROB_ENDPOINT": ENDPOINT,
    "RCLONE_CONFIG_SECRET_TYPE": "crypt",
    "RCLONE_CONFIG_SECRET_REMOTE": f"carob:{BUCKET}/sealed",
    "RCLONE_S3_CHUNK_SIZE": "5Mi",
    "RCLONE_S3_UPLOAD_CUTOFF": "5Mi",
    "RCLONE_RETRIES": "1",
    "RCLONE_LOW_LEVEL_RETRIES": "1",
}
rclone = runner(os.environ["RCLONE"], environment=environment)


def at(path: str = "") -> str:
    return f"carob:{BUCKET}/{path}"


def synchronised():
    rclone("mkdir", at())
    # The longest name is as long as a key may be, so there is no prefix here.
    corpus.write_tree(files, up)
    rclone("sync", "--checksum", str(up), at())
    equal("keys", keys(BUCKET), sizes)
    rclone("check", str(up), at())
    rclone("check", "--download", str(up), at())
    (up / "dir/file").write_bytes(b"changed")
    (up / "dir0").unlink()
    rclone("sync", "--checksum", str(up), at())
    rclone("check", str(up), at())
    rclone("sync", at(), str(down))
    rclone("check", "--download", str(up), str(down))
    return f"{len(files)} files synchronised and checked"


def streamed():
    body = rng.randbytes(18 * MIB + 5)
    (args.work / "body").write_bytes(body)
    with (args.work / "body").open("rb") as stream:
        piped = runner(os.environ["RCLONE"], environment=environment, stdin=stream)
        piped("rcat", "--streaming-upload-cutoff", "1Mi", at("streamed/large"))
    equal("size", keys(BUCKET, "streamed/"), {"streamed/large": len(body)})
    by_four = ("--multi-thread-streams", "4", "--multi-thread-cutoff", "1Mi")
    rclone("copyto", *by_four, at("streamed/large"), str(args.work / "back"))
    assert (args.work / "back").read_bytes() == body, "other bytes by four streams"
    link = rclone("link", "--expire", "1m", at("streamed/large")).strip()
    status, _, got = http("GET", link)
    assert status == 200 and got == body, f"link: {status}, other bytes"
    return "a stream of 18 MiB, read by four at once"


def moved():
    rclone("copy", "--checksum", at("dir"), at("copy ü+"))
    rclone("moveto", at("copy ü+/file"), at("moved/there"))
    rclone("copyto", at("streamed/large"), at("streamed/copy"), "--s3-copy-cutoff", "6Mi")
    rclone("copyto", at("streamed/copy"), str(args.work / "back"))
    assert (args.work / "back").read_bytes() == (args.work / "body").read_bytes(), "the copy differs"
    equal("moved", keys(BUCKET, "moved/"), {"moved/there": 7})
    equal("left", keys(BUCKET, "copy ü+/"), {})
    return "copied in parts and moved on the server"


def sealed():
    password = rclone("obscure", "of no importance").strip()
    environment["RCLONE_CONFIG_SECRET_PASSWORD"] = password
    rclone("copy", str(up / "deep"), "secret:tree")
    rclone("cryptcheck", str(up / "deep"), "secret:tree")
    rclone("purge", "secret:")
    return "encrypted by rclone"


def served():
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    serve = [os.environ["RCLONE"], "serve", "webdav", at("served"), "--addr", f"127.0.0.1:{port}",
             "--dir-cache-time", "0s", "--vfs-cache-mode", "writes", "--vfs-write-back", "0s",
             "--cache-dir", str(args.work / "cache")]  # fmt: skip
    body = rng.randbytes(3 * MIB)
    with server(*serve, log=args.work / "webdav.log", environment=environment):
        until("WebDAV answers", lambda: http("OPTIONS", base)[0] == 200)
        equal("made", http("MKCOL", f"{base}/d")[0], 201)
        equal("put", http("PUT", f"{base}/d/file%20one", body)[0], 201)
        until("it is in the bucket", lambda: keys(BUCKET, "served/d/") == {"served/d/file one": len(body)})
        equal("moved", http("MOVE", f"{base}/d/file%20one", Destination=f"{base}/d/two")[0], 201)
        status, _, got = http("GET", f"{base}/d/two", Range="bytes=1000000-1999999")
        assert status == 206 and got == body[1_000_000:2_000_000], f"range: {status}"
        assert b"/d/two" in http("PROPFIND", f"{base}/d", Depth="1")[2], "not listed"
        equal("gone", http("DELETE", f"{base}/d/two")[0], 204)
        until("it is gone from the bucket", lambda: "served/d/two" not in keys(BUCKET, "served/"))
    serve[2:4] = ["http", at()]
    with server(*serve[:6], log=args.work / "http.log", environment=environment):
        until("HTTP answers", lambda: http("GET", f"{base}/")[0] == 200)
        large = (args.work / "body").read_bytes()
        for _ in range(20):
            first = rng.randrange(len(large))
            last = min(first + rng.randrange(1, 300_000), len(large) - 1)
            status, _, got = http("GET", f"{base}/streamed/large", Range=f"bytes={first}-{last}")
            assert status == 206 and got == large[first : last + 1], f"{first}-{last}: {status}, other bytes"
    return "served by WebDAV and HTTP"


def removed():
    rclone("purge", at())
    equal("buckets", BUCKET in [b["Name"] for b in s3.list_buckets()["Buckets"]], False)


report("rclone", version("RCLONE"), synchronised, streamed, moved, sealed, served, removed)
