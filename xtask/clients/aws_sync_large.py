"""AWS CLI: sync of large files with its default thresholds and concurrency, up, down again and compared."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import large
from large import GIB, MIB
from session import arguments, equal, run

BUCKET = "aws-sync-large"
# The CLI's threshold and part size are 8 MiB. Two files share their first GiB: its blocks are kept once.
SIZES = {
    "just below": 8 * MIB - 1, "at the threshold": 8 * MIB, "just above": 8 * MIB + 1, "whole parts": 64 * MIB,
    "ü dir/odd + 100%.bin": 100 * MIB + 12345, "dir/large": GIB + 1, "dir/larger": 5 * GIB // 4 + 77,
}  # fmt: skip
args = arguments()
up, down = args.work / "up", args.work / "down"


def body(name: str) -> str:
    return "shared" if name.startswith("dir/") else name


def aws(*arguments: str) -> str:
    command = [str(Path(sys.executable).parent / "aws"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr}"
    return done.stdout


def etag(name: str, size: int) -> str:
    """As S3 makes it of parts of 8 MiB."""
    whole, parts, part = hashlib.md5(), [], hashlib.md5()
    for number, piece in enumerate(large.pieces(body(name), size, args.seed), 1):
        whole.update(piece)
        part.update(piece)
        if number % 8 == 0:
            parts.append(part.digest())
            part = hashlib.md5()
    parts += [part.digest()] * (size % (8 * MIB) != 0)
    return f'"{whole.hexdigest()}"' if size < 8 * MIB else f'"{hashlib.md5(b"".join(parts)).hexdigest()}-{len(parts)}"'


def sync_up():
    for name, size in SIZES.items():
        large.write(up / name, body(name), size, args.seed)
    aws("s3", "mb", f"s3://{BUCKET}")
    aws("s3", "sync", str(up), f"s3://{BUCKET}", "--only-show-errors")
    return f"{len(SIZES)} files, {sum(SIZES.values()) >> 20} MiB"


def list_them():
    answer = json.loads(aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--output", "json"))
    got = {entry["Key"]: (entry["Size"], entry["ETag"]) for entry in answer["Contents"]}
    equal("objects", got, {name: (size, etag(name, size)) for name, size in SIZES.items()})
    uploads = aws("s3api", "list-multipart-uploads", "--bucket", BUCKET, "--query", "Uploads", "--output", "text")
    equal("uploads", uploads.strip(), "None")


def sync_again_moves_nothing():
    equal("output", aws("s3", "sync", str(up), f"s3://{BUCKET}"), "")
    shutil.rmtree(up)


def sync_down():
    down.mkdir()
    aws("s3", "sync", f"s3://{BUCKET}", str(down), "--only-show-errors")
    found = {str(path.relative_to(down)) for path in down.rglob("*") if path.is_file()}
    equal("files", found, set(SIZES))
    for name, size in SIZES.items():
        large.compare_file(down / name, body(name), size, args.seed)
    shutil.rmtree(down)


def sync_between_buckets():
    """Server-side copies in parts, since the files are over the threshold."""
    aws("s3", "mb", f"s3://{BUCKET}-copy")
    aws("s3", "sync", f"s3://{BUCKET}", f"s3://{BUCKET}-copy", "--only-show-errors")
    for name in ("just above", "dir/larger"):
        aws("s3", "cp", f"s3://{BUCKET}-copy/{name}", str(args.work / "copy"), "--only-show-errors")
        large.compare_file(args.work / "copy", body(name), SIZES[name], args.seed)


def remove():
    for bucket in (BUCKET, f"{BUCKET}-copy"):
        aws("s3", "rb", f"s3://{bucket}", "--force")


run(sync_up, list_them, sync_again_moves_nothing, sync_down, sync_between_buckets, remove)
