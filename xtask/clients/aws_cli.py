"""AWS CLI: sync a tree up and down, list, head, range, remove."""

import json

import command
import corpus
from session import arguments, equal, run

BUCKET = "aws-cli-tree"
args = arguments()
files = corpus.paths(args.files, args.seed)
up, down = args.work / "up", args.work / "down"
aws = command.aws()


def sync_up():
    corpus.write_tree(files, up)
    aws("s3", "mb", f"s3://{BUCKET}")
    aws("s3", "sync", str(up), f"s3://{BUCKET}", "--only-show-errors")
    return f"{len(files)} files, {sum(file.size for file in files) >> 20} MiB"


def list_them():
    answer = json.loads(aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--output", "json"))
    got = {entry["Key"]: (entry["Size"], entry["ETag"]) for entry in answer["Contents"]}
    equal("objects", got, {file.name: (file.size, file.etag()) for file in files})
    lines = aws("s3", "ls", f"s3://{BUCKET}", "--recursive").splitlines()
    equal("lines of ls", len(lines), len(files))
    top = {name.split("/")[0] + ("/" if "/" in name else "") for name in (file.name for file in files)}
    shown = aws("s3", "ls", f"s3://{BUCKET}/").splitlines()
    equal("entries at the top", len(shown), len(top))


def sync_again_moves_nothing():
    equal("output", aws("s3", "sync", str(up), f"s3://{BUCKET}"), "")


def sync_down():
    down.mkdir()
    aws("s3", "sync", f"s3://{BUCKET}", str(down), "--only-show-errors")
    corpus.compare_tree(files, down)


def head_and_range():
    file = max(files, key=lambda file: file.size)
    where = ("--bucket", BUCKET, "--key", file.name)
    answer = json.loads(aws("s3api", "head-object", *where, "--output", "json"))
    equal("head", (answer["ContentLength"], answer["ETag"]), (file.size, file.etag()))
    part = args.work / "part"
    aws("s3api", "get-object", *where, "--range", "bytes=1000-1999", str(part))
    equal("range", part.read_bytes(), file.body()[1000:2000])


def metadata():
    source = args.work / "source"
    source.write_bytes(b"with metadata")
    where = ("--bucket", BUCKET, "--key", "meta data")
    aws("s3", "cp", str(source), f"s3://{BUCKET}/meta data", "--metadata", "a=1,b=two words", "--content-type", "x/y")
    answer = json.loads(aws("s3api", "head-object", *where, "--output", "json"))
    equal("head", (answer["Metadata"], answer["ContentType"]), ({"a": "1", "b": "two words"}, "x/y"))
    equal("standard output", aws("s3", "cp", f"s3://{BUCKET}/meta data", "-"), "with metadata")
    aws("s3", "rm", f"s3://{BUCKET}/meta data")


def errors():
    assert "NoSuchBucket" in aws("s3", "ls", "s3://no-such-bucket", ok=False)
    assert "BucketNotEmpty" in aws("s3", "rb", f"s3://{BUCKET}", ok=False)
    missing = ("s3api", "get-object", "--bucket", BUCKET, "--key", "absent", str(args.work / "none"))
    assert "NoSuchKey" in aws(*missing, ok=False)


def sync_delete():
    """A file removed here is removed there, and nothing else."""
    gone, kept = files[0], files[1:]
    (up / gone.name).unlink()
    aws("s3", "sync", str(up), f"s3://{BUCKET}", "--delete", "--only-show-errors")
    answer = json.loads(aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--output", "json"))
    equal("keys", sorted(e["Key"] for e in answer["Contents"]), sorted(file.name for file in kept))


def remove():
    aws("s3", "rm", f"s3://{BUCKET}", "--recursive", "--only-show-errors")
    equal("left over", aws("s3", "ls", f"s3://{BUCKET}", "--recursive"), "")
    aws("s3", "rb", f"s3://{BUCKET}")


run(sync_up, list_them, sync_again_moves_nothing, sync_down, head_and_range, metadata, errors, sync_delete, remove)
