"""minio-py: a tree with awkward keys, multipart uploads and copies, presigned URLs, conditions."""

import datetime
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import corpus
import plain_http
from corpus import MIB
from minio import Minio
from minio.commonconfig import REPLACE, ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from session import arguments, equal, run

BUCKET, OTHER = "minio-py", "minio-py-other"
args = arguments()
s3 = Minio(
    urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc,
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    secure=False,
)
# minio-py refuses a key of white space alone.
files = [file for file in corpus.keys(args.files, args.seed) if file.name.strip()]
BIG = corpus.File("big object/ü+%.bin", 17 * MIB + 12345, args.seed)


def each(action) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(action, files))


def put(key: str, body: bytes, **more):
    return s3.put_object(BUCKET, key, io.BytesIO(body), len(body), **more)


def read(key: str, bucket: str = BUCKET, **more) -> bytes:
    answer = s3.get_object(bucket, key, **more)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def refused(code: str, call, *positional, **named) -> None:
    try:
        answer = call(*positional, **named)
    except S3Error as error:
        equal("code", error.code, code)
    else:
        raise AssertionError(f"expected {code}, got {answer!r}")


def buckets():
    for bucket in (BUCKET, OTHER):
        assert not s3.bucket_exists(bucket)
        s3.make_bucket(bucket)
        assert s3.bucket_exists(bucket)
    names = {bucket.name for bucket in s3.list_buckets()}
    assert {BUCKET, OTHER} <= names, f"missing in {names}"
    # The client signs for the region that it asks for.
    refused("AuthorizationHeaderMalformed", s3.make_bucket, BUCKET, location="eu-west-1")


def small_objects():
    def one(file):
        # 7 MiB is over the client's 5 MiB threshold.
        answer = put(file.name, file.body(), metadata={"size": str(file.size)}, part_size=16 * MIB)
        equal(f"ETag of {file.name!r}", answer.etag, file.etag().strip('"'))

    each(one)
    return f"{len(files)} objects, {sum(file.size for file in files) >> 20} MiB"


def listings():
    entries = list(s3.list_objects(BUCKET, recursive=True))
    want = {file.name: (file.size, file.etag().strip('"')) for file in files}
    equal("objects", {entry.object_name: (entry.size, entry.etag) for entry in entries}, want)
    first = list(s3.list_objects(BUCKET, recursive=True, use_api_v1=True))
    equal("V1", [entry.object_name for entry in first], [entry.object_name for entry in entries])
    top = sorted({file.name.split("/")[0] + ("/" if "/" in file.name else "") for file in files}, key=str.encode)
    equal("with a delimiter", sorted((e.object_name for e in s3.list_objects(BUCKET)), key=str.encode), top)
    after = list(s3.list_objects(BUCKET, recursive=True, start_after="d5"))
    equal("after d5", len(after), sum(file.name.encode() > b"d5" for file in files))


def whole_bodies():
    def one(file):
        assert read(file.name) == file.body(), f"{file.name!r} came back with other bytes"
        answer = s3.stat_object(BUCKET, file.name)
        got = (answer.size, answer.etag, answer.metadata["x-amz-meta-size"])
        equal(f"stat of {file.name!r}", got, (file.size, file.etag().strip('"'), str(file.size)))

    each(one)


def multipart():
    """Over the client's part size; with a known length and with an unknown one."""
    body = BIG.body()
    parts = [hashlib.md5(body[at : at + 5 * MIB]).digest() for at in range(0, len(body), 5 * MIB)]
    etag = f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"
    for length in (len(body), -1):
        answer = s3.put_object(BUCKET, BIG.name, io.BytesIO(body), length, part_size=5 * MIB, metadata={"a": "b"})
        equal("ETag", answer.etag, etag)
        assert read(BIG.name) == body, f"other bytes, with length {length}"
        answer = s3.stat_object(BUCKET, BIG.name)
        equal("stat", (answer.size, answer.etag, answer.metadata["x-amz-meta-a"]), (len(body), etag, "b"))


def files_up_and_down():
    source, target = args.work / "source", args.work / "target"
    source.write_bytes(BIG.body())
    s3.fput_object(BUCKET, "from a file", str(source), content_type="x/y")
    s3.fget_object(BUCKET, "from a file", str(target))
    assert source.read_bytes() == target.read_bytes()
    equal("type", s3.stat_object(BUCKET, "from a file").content_type, "x/y")


def ranges():
    body = BIG.body()
    for offset, length in [(0, 1), (5 * MIB - 1, 2), (5 * MIB, 0), (MIB - 3, 9 * MIB), (len(body) - 1, 100)]:
        want = body[offset : offset + length] if length else body[offset:]
        assert read(BIG.name, offset=offset, length=length) == want, f"other bytes for {offset}+{length}"
    refused("InvalidRange", s3.get_object, BUCKET, BIG.name, offset=len(body))


def metadata():
    sent = {"x-amz-meta-one": "1", "X-Amz-Meta-Two": "two words", "cache-control": "max-age=5"}
    put("meta data", b"x", metadata=sent, content_type="text/plain; charset=utf-8")
    got = s3.stat_object(BUCKET, "meta data").metadata
    shown = {name: got[name] for name in ("x-amz-meta-one", "x-amz-meta-two", "cache-control", "content-type")}
    want = {"x-amz-meta-one": "1", "x-amz-meta-two": "two words", "cache-control": "max-age=5"}
    equal("headers", shown, want | {"content-type": "text/plain; charset=utf-8"})


def copies():
    for file in files:
        s3.copy_object(OTHER, file.name, CopySource(BUCKET, file.name))
        assert read(file.name, OTHER) == file.body(), f"copy of {file.name!r} has other bytes"
    source = CopySource(BUCKET, "meta data")
    s3.copy_object(OTHER, "replaced", source, metadata={"three": "3"}, metadata_directive=REPLACE)
    got = s3.stat_object(OTHER, "replaced").metadata
    equal("replaced", (got.get("x-amz-meta-one"), got.get("x-amz-meta-three")), (None, "3"))
    s3.copy_object(OTHER, "kept", source)
    equal("kept", s3.stat_object(OTHER, "kept").metadata["x-amz-meta-two"], "two words")
    refused("NoSuchKey", s3.copy_object, OTHER, "x", CopySource(BUCKET, "absent"))


def copy_conditions():
    etag = s3.stat_object(BUCKET, "meta data").etag
    hour = datetime.timedelta(hours=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    for good in ({"match_etag": etag}, {"not_match_etag": "other"}, {"modified_since": now - hour}):
        s3.copy_object(OTHER, "condition", CopySource(BUCKET, "meta data", **good))
    for bad in ({"match_etag": "other"}, {"not_match_etag": etag}, {"unmodified_since": now - hour}):
        refused("PreconditionFailed", s3.copy_object, OTHER, "no", CopySource(BUCKET, "meta data", **bad))
    refused("NoSuchKey", s3.stat_object, OTHER, "no")


def multipart_copies():
    """compose_object and ranges of a source: UploadPartCopy."""
    body = BIG.body()
    whole, last = ComposeSource(BUCKET, BIG.name), ComposeSource(BUCKET, "meta data")
    cut = ComposeSource(BUCKET, BIG.name, offset=MIB + 1, length=6 * MIB + 1)
    s3.compose_object(OTHER, "composed", [whole, cut, last], metadata={"four": "4"})
    want = body + body[MIB + 1 : 7 * MIB + 2] + b"x"
    assert read("composed", OTHER) == want, "the composed object has other bytes"
    equal("metadata", s3.stat_object(OTHER, "composed").metadata["x-amz-meta-four"], "4")
    s3.copy_object(OTHER, "range", CopySource(BUCKET, BIG.name, offset=3, length=100))
    equal("range", read("range", OTHER), body[3:103])


def uploads():
    """Listing, completing and aborting uploads; the client has these only for its own use."""
    keys = ["up/a b", "up/ü%", "up/ü%"]
    ids = [s3._create_multipart_upload(BUCKET, key, {}) for key in keys]
    part = BIG.body()[: 5 * MIB]
    etags = [s3._upload_part(BUCKET, keys[0], part, None, ids[0], number) for number in (1, 3)]
    answer = s3._list_multipart_uploads(BUCKET, prefix="up/", encoding_type="url")
    equal("uploads", sorted((u.object_name, u.upload_id) for u in answer.uploads), sorted(zip(keys, ids)))
    answer = s3._list_parts(BUCKET, keys[0], ids[0])
    equal("parts", [(p.part_number, p.etag, p.size) for p in answer.parts], [(1, etags[0], len(part)), (3, etags[1], len(part))])
    for key, upload in zip(keys, ids):
        s3._abort_multipart_upload(BUCKET, key, upload)
    refused("NoSuchUpload", s3._list_parts, BUCKET, keys[0], ids[0])
    equal("left over", s3._list_multipart_uploads(BUCKET).uploads, [])


def presigned():
    body = b"sent with a presigned URL"
    for key in ("presigned", "pre signed/ü+%41&=?#", "tab\there"):
        answer = plain_http.put(s3.presigned_put_object(BUCKET, key), body)
        equal("PUT", (answer.status, answer.body), (200, b""))
        answer = plain_http.get(s3.presigned_get_object(BUCKET, key, expires=datetime.timedelta(minutes=1)))
        equal("GET", (answer.status, answer.body), (200, body))
        url = s3.presigned_get_object(BUCKET, key, response_headers={"response-content-type": "a/b c"})
        answer = plain_http.get(url, {"Range": "bytes=5-8"})
        equal("range", (answer.status, answer.body, answer.headers["content-type"]), (206, body[5:9], "a/b c"))
        equal("another method", plain_http.put(url, b"y").status, 403)
        answer = plain_http.request("HEAD", s3.get_presigned_url("HEAD", BUCKET, key))
        equal("HEAD", (answer.status, answer.headers["content-length"]), (200, str(len(body))))
        equal("DELETE", plain_http.request("DELETE", s3.get_presigned_url("DELETE", BUCKET, key)).status, 204)
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=10)
    expired = s3.get_presigned_url("GET", BUCKET, "meta data", datetime.timedelta(seconds=5), request_date=past)
    equal("expired", plain_http.get(expired).status, 403)


def conditional_reads():
    etag = s3.stat_object(BUCKET, "meta data").etag
    equal("If-Match", read("meta data", request_headers={"If-Match": f'"{etag}"'}), b"x")
    refused("PreconditionFailed", s3.get_object, BUCKET, "meta data", request_headers={"If-Match": '"other"'})
    refused("NoSuchKey", s3.get_object, BUCKET, "absent")
    refused("NoSuchBucket", s3.get_object, "no-such-bucket", "absent")


def what_nothing_is_set_of():
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, BUCKET)
    equal("tags", (s3.get_bucket_tags(BUCKET), s3.get_object_tags(BUCKET, "meta data")), (None, None))
    equal("lifecycle", s3.get_bucket_lifecycle(BUCKET), None)
    equal("replication", s3.get_bucket_replication(BUCKET), None)
    equal("encryption", s3.get_bucket_encryption(BUCKET), None)
    equal("versioning", s3.get_bucket_versioning(BUCKET).status, None)


def remove():
    refused("BucketNotEmpty", s3.remove_bucket, BUCKET)
    for bucket in (BUCKET, OTHER):
        for key in corpus.CONTROL_KEYS:
            s3.remove_object(bucket, key)
        names = [entry.object_name for entry in s3.list_objects(bucket, recursive=True)]
        errors = s3.remove_objects(bucket, [DeleteObject(name) for name in names])
        equal("errors", list(errors), [])
        equal("left over", list(s3.list_objects(bucket, recursive=True)), [])
        s3.remove_bucket(bucket)
        assert not s3.bucket_exists(bucket)


run(
    buckets, small_objects, listings, whole_bodies, multipart, files_up_and_down, ranges, metadata, copies,
    copy_conditions, multipart_copies, uploads, presigned, conditional_reads, what_nothing_is_set_of, remove,
)  # fmt: skip
