"""boto3: upload a tree with awkward keys, read it back every way, delete it."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import corpus
from session import arguments, equal, run

BUCKET = "boto3-tree"
args = arguments()
s3 = boto3.client("s3")
files = corpus.keys(args.files, args.seed)


def each(action) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(action, files))


def listed() -> dict:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    entries = [entry for page in pages for entry in page.get("Contents", [])]
    names = [entry["Key"].encode() for entry in entries]
    assert names == sorted(set(names)), "listing is not in byte order, or repeats a key"
    return {entry["Key"]: entry for entry in entries}


def upload():
    s3.create_bucket(Bucket=BUCKET)

    def put(file):
        answer = s3.put_object(
            Bucket=BUCKET, Key=file.name, Body=file.body(), Metadata={"size": str(file.size), "Mixed-Case": "a  b"}
        )
        equal(f"ETag of {file.name!r}", answer["ETag"], file.etag())

    each(put)
    total = sum(file.size for file in files)
    return f"{len(files)} objects, {total >> 20} MiB"


def list_them():
    entries = listed()
    equal("keys", sorted(entries), sorted(file.name for file in files))
    for file in files:
        equal(f"size of {file.name!r}", entries[file.name]["Size"], file.size)
        equal(f"ETag of {file.name!r}", entries[file.name]["ETag"], file.etag())
        equal("storage class", entries[file.name]["StorageClass"], "STANDARD")


def download():
    def get(file):
        answer = s3.get_object(Bucket=BUCKET, Key=file.name)
        equal(f"length of {file.name!r}", answer["ContentLength"], file.size)
        assert answer["Body"].read() == file.body(), f"{file.name!r} came back with other bytes"

    each(get)


def head():
    def one(file):
        answer = s3.head_object(Bucket=BUCKET, Key=file.name)
        equal(f"length of {file.name!r}", answer["ContentLength"], file.size)
        equal(f"ETag of {file.name!r}", answer["ETag"], file.etag())
        metadata = {name.lower(): value for name, value in answer["Metadata"].items()}
        equal(f"metadata of {file.name!r}", metadata, {"size": str(file.size), "mixed-case": "a  b"})

    each(one)


def ranges():
    def one(file):
        if file.size == 0:
            return
        body = file.body()
        middle, last = file.size // 2, file.size - 1
        wanted = {
            "bytes=0-0": (0, 0),
            f"bytes={middle}-": (middle, last),
            f"bytes=0-{file.size + 10}": (0, last),
            f"bytes=-{max(middle, 1)}": (file.size - max(middle, 1), last),
            f"bytes={middle}-{min(middle + 70000, last)}": (middle, min(middle + 70000, last)),
        }
        for header, (first, end) in wanted.items():
            answer = s3.get_object(Bucket=BUCKET, Key=file.name, Range=header)
            equal("status", answer["ResponseMetadata"]["HTTPStatusCode"], 206)
            equal("Content-Range", answer["ContentRange"], f"bytes {first}-{end}/{file.size}")
            assert answer["Body"].read() == body[first : end + 1], f"{header} of {file.name!r}: other bytes"

    each(one)


def managed_transfer():
    """upload_file and download_file, as most programs do it."""
    source, target = args.work / "source", args.work / "target"
    source.write_bytes(corpus.File("managed", 7 * corpus.MIB, args.seed).body())
    s3.upload_file(str(source), BUCKET, "managed", ExtraArgs={"ContentType": "text/x-managed"})
    s3.download_file(BUCKET, "managed", str(target))
    assert source.read_bytes() == target.read_bytes()
    equal("type", s3.head_object(Bucket=BUCKET, Key="managed")["ContentType"], "text/x-managed")
    s3.delete_object(Bucket=BUCKET, Key="managed")


def overwrite():
    key = files[0].name
    for body in [b"one", b"", b"three" * 1000]:
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        equal("overwritten body", s3.get_object(Bucket=BUCKET, Key=key)["Body"].read(), body)
    equal("number of keys", len(listed()), len(files))


def delete():
    single = [file.name for file in files if file.name in corpus.CONTROL_KEYS]
    for key in single:
        s3.delete_object(Bucket=BUCKET, Key=key)
    batch = [file.name for file in files if file.name not in corpus.CONTROL_KEYS]
    for start in range(0, len(batch), 1000):
        part = batch[start : start + 1000]
        answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in part]})
        equal("errors", answer.get("Errors", []), [])
        equal("deleted", sorted(entry["Key"] for entry in answer["Deleted"]), sorted(part))
    equal("left over", listed(), {})


def delete_bucket():
    s3.delete_bucket(Bucket=BUCKET)
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert BUCKET not in names, f"{BUCKET} is still listed"


run(upload, list_them, download, head, ranges, managed_transfer, overwrite, delete, delete_bucket)
