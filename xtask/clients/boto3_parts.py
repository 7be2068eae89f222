"""boto3: uploads and copies in parts, presigned URLs, and the checksums that a body declares."""

import base64
import hashlib
import io
import zlib
from urllib.parse import quote

import boto3
import corpus
import plain_http
from botocore.config import Config
from corpus import MIB
from session import arguments, equal, refused, run

BUCKET, OTHER = "boto3-parts", "boto3-parts-other"
args = arguments()
s3 = boto3.client("s3")
# What boto3 presigns with for us-east-1 unless it is told otherwise is Signature Version 2.
sign_v2 = s3.generate_presigned_url
sign = boto3.client("s3", config=Config(signature_version="s3v4")).generate_presigned_url
# Over the client's threshold of 8 MiB; parts of 8, 8 and 1 MiB and a bit.
BIG = corpus.File("big object/ü+%.bin", 17 * MIB + 12345, args.seed)
WHERE = {"Bucket": BUCKET, "Key": BIG.name}
CONTROL = ["soh\x01", "\x1funit"]
AWKWARD = ["pre signed/ü+%41&=?#", "tab\there", "%2F", "a//b/", "🦀", *CONTROL]


def etag_of(parts: list[bytes]) -> str:
    return f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def read(**where) -> bytes:
    return s3.get_object(**where)["Body"].read()


def managed_upload():
    for bucket in (BUCKET, OTHER):
        s3.create_bucket(Bucket=bucket)
    body = BIG.body()
    more = {"Metadata": {"a": "b"}, "ContentType": "x/y"}
    s3.upload_fileobj(io.BytesIO(body), BUCKET, BIG.name, ExtraArgs=more)
    head = s3.head_object(**WHERE)
    equal("head", (head["ContentLength"], head["ETag"]), (len(body), etag_of(cut(body, 8 * MIB))))
    equal("headers", (head["Metadata"], head["ContentType"]), ({"a": "b"}, "x/y"))
    down = io.BytesIO()
    s3.download_fileobj(BUCKET, BIG.name, down)
    assert down.getvalue() == body, "other bytes came back"


def parts_are_read_one_by_one():
    parts = cut(BIG.body(), 8 * MIB)
    for number, part in enumerate(parts, 1):
        answer = s3.get_object(**WHERE, PartNumber=number)
        equal("count", answer["PartsCount"], len(parts))
        assert answer["Body"].read() == part, f"part {number} has other bytes"
    about = s3.get_object_attributes(**WHERE, ObjectAttributes=["ObjectParts", "ObjectSize", "ETag"])
    equal("attributes", (about["ObjectSize"], about["ObjectParts"]["TotalPartsCount"]), (BIG.size, len(parts)))


def managed_copy():
    """Server-side, in parts, with the source's size read first."""
    s3.copy(WHERE, OTHER, "copy")
    assert read(Bucket=OTHER, Key="copy") == BIG.body(), "the copy has other bytes"
    answer = s3.copy_object(Bucket=OTHER, Key="small copy", CopySource=WHERE, CopySourceIfNoneMatch='"other"')
    equal("ETag", answer["CopyObjectResult"]["ETag"], s3.head_object(**WHERE)["ETag"])
    equal("metadata", s3.head_object(Bucket=OTHER, Key="small copy")["Metadata"], {"a": "b"})
    refused("InvalidRequest", 400, s3.copy_object, **WHERE, CopySource=WHERE)
    s3.copy_object(**WHERE, CopySource=WHERE, MetadataDirective="REPLACE", Metadata={"c": "d"})
    equal("replaced", s3.head_object(**WHERE)["Metadata"], {"c": "d"})
    for key in AWKWARD:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        s3.copy_object(Bucket=OTHER, Key=key, CopySource={"Bucket": BUCKET, "Key": key})
        equal(f"copy of {key!r}", read(Bucket=OTHER, Key=key), key.encode())


def renamed():
    """RenameObject, which Amazon S3 has in directory buckets; botocore sends a client token by itself."""
    s3.put_object(Bucket=BUCKET, Key="old name/ü", Body=b"renamed", Metadata={"a": "b"}, StorageClass="STANDARD_IA")
    before = s3.head_object(Bucket=BUCKET, Key="old name/ü")
    source = quote("old name/ü")
    s3.rename_object(Bucket=BUCKET, Key="new name", RenameSource=source, SourceIfMatch=before["ETag"])
    after = s3.head_object(Bucket=BUCKET, Key="new name")
    for field in ("ETag", "LastModified", "Metadata", "StorageClass"):
        equal(field, after[field], before[field])
    equal("body", read(Bucket=BUCKET, Key="new name"), b"renamed")
    refused("404", 404, s3.head_object, Bucket=BUCKET, Key="old name/ü")
    refused("NoSuchKey", 404, s3.rename_object, Bucket=BUCKET, Key="other", RenameSource=source)
    taken = {"Bucket": BUCKET, "Key": BIG.name, "RenameSource": quote("new name")}
    refused("PreconditionFailed", 412, s3.rename_object, **taken, DestinationIfNoneMatch="*")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="new name")["Contents"]
    equal("class in a listing", listed[0]["StorageClass"], "STANDARD_IA")


def parts_from_everywhere():
    """Sent and copied parts in one upload, numbers with gaps, one part sent twice; then completed twice."""
    body = BIG.body()
    where = {"Bucket": BUCKET, "Key": "mixed"}
    upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    s3.upload_part(**upload, PartNumber=2, Body=b"x" * (5 * MIB))
    first = s3.upload_part(**upload, PartNumber=2, Body=body[: 5 * MIB + 1])["ETag"]
    copied = s3.upload_part_copy(**upload, PartNumber=7, CopySource=WHERE, CopySourceRange=f"bytes=3-{6 * MIB}")
    last = s3.upload_part(**upload, PartNumber=10_000, Body=b"end")["ETag"]
    etags = {2: first, 7: copied["CopyPartResult"]["ETag"], 10_000: last}
    equal("parts", {p["PartNumber"]: p["ETag"] for p in s3.list_parts(**upload)["Parts"]}, etags)
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in etags.items()]
    refused("InvalidPartOrder", 400, s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[::-1]})
    wrong = [parts[0] | {"ETag": last}, *parts[1:]]
    refused("InvalidPart", 400, s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": wrong})
    want = [body[: 5 * MIB + 1], body[3 : 6 * MIB + 1], b"end"]
    for _ in range(2):
        answer = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        equal("ETag", answer["ETag"], etag_of(want))
    assert read(**where) == b"".join(want), "the object has other bytes"
    small = {"Bucket": BUCKET, "Key": "too small"}
    upload = small | {"UploadId": s3.create_multipart_upload(**small)["UploadId"]}
    parts = [{"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=b"x")["ETag"]} for n in (1, 2)]
    refused("EntityTooSmall", 400, s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts})
    s3.abort_multipart_upload(**upload)
    refused("NoSuchUpload", 404, s3.upload_part, **upload, PartNumber=3, Body=b"x")


def uploads_are_listed_and_aborted():
    begun = sorted(
        (key, s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"])
        # boto3 does not understand the answer, Amazon's neither, where it repeats a key that XML cannot hold.
        for key in [*(key for key in AWKWARD if key not in CONTROL), *(f"many/{n:03}" for n in range(25)), "many/000"]
    )
    for page_size in (1000, 4):
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=BUCKET, PaginationConfig={"PageSize": page_size}
        )
        got = [(upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", [])]
        equal(f"uploads, {page_size} a page", sorted(got), begun)
    grouped = s3.list_multipart_uploads(Bucket=BUCKET, Delimiter="/", Prefix="many")
    equal("prefixes", [entry["Prefix"] for entry in grouped["CommonPrefixes"]], ["many/"])
    for key, upload in begun:
        s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def presigned():
    body = b"sent with a presigned URL"
    for key in AWKWARD:
        where = {"Bucket": BUCKET, "Key": key}
        url = sign("put_object", where | {"Metadata": {"a": "b"}, "ContentType": "x/y"}, ExpiresIn=60)
        headers = {"x-amz-meta-a": "b", "Content-Type": "x/y"}
        equal(f"PUT of {key!r}", plain_http.put(url, body, headers).status, 200)
        equal("PUT with another type", plain_http.put(url, body, headers | {"Content-Type": "z"}).status, 403)
        url = sign("get_object", where | {"ResponseContentDisposition": 'attachment; filename="a b"'}, ExpiresIn=60)
        answer = plain_http.get(url)
        equal("GET", (answer.status, answer.body), (200, body))
        shown = {name: answer.headers[name] for name in ("content-type", "x-amz-meta-a", "content-disposition")}
        want = {"content-type": "x/y", "x-amz-meta-a": "b", "content-disposition": 'attachment; filename="a b"'}
        equal("headers", shown, want)
        answer = plain_http.get(url, {"Range": "bytes=5-8"})
        equal("range", (answer.status, answer.body), (206, body[5:9]))
        equal("another method", plain_http.request("DELETE", url).status, 403)
        equal("HEAD", plain_http.request("HEAD", sign("head_object", where)).status, 200)
        equal("DELETE", plain_http.request("DELETE", sign("delete_object", where)).status, 204)
    listing = plain_http.get(sign("list_objects_v2", {"Bucket": BUCKET, "Prefix": "big"}))
    assert listing.status == 200 and b"<Key>big" in listing.body, listing.body


def presigned_with_version_2():
    body = b"sent with an older URL"
    for key in AWKWARD:
        where = {"Bucket": BUCKET, "Key": key}
        url = sign_v2("put_object", where | {"Metadata": {"a": "b"}, "ContentType": "x/y"}, ExpiresIn=60)
        assert "AWSAccessKeyId=" in url, url
        headers = {"x-amz-meta-a": "b", "Content-Type": "x/y"}
        equal(f"PUT of {key!r}", plain_http.put(url, body, headers).status, 200)
        equal("PUT with other metadata", plain_http.put(url, body, headers | {"x-amz-meta-a": "c"}).status, 403)
        url = sign_v2("get_object", where | {"ResponseContentDisposition": 'attachment; filename="a b"'}, ExpiresIn=60)
        answer = plain_http.get(url)
        equal("GET", (answer.status, answer.body), (200, body))
        equal("disposition", answer.headers["content-disposition"], 'attachment; filename="a b"')
        equal("another method", plain_http.request("DELETE", url).status, 403)
        equal("expired", plain_http.get(sign_v2("get_object", where, ExpiresIn=-1)).status, 403)
        equal("DELETE", plain_http.request("DELETE", sign_v2("delete_object", where)).status, 204)
    header = boto3.client("s3", config=Config(signature_version="s3"))
    header.put_object(Bucket=BUCKET, Key="signed in the header", Body=body)
    equal("read", header.get_object(Bucket=BUCKET, Key="signed in the header")["Body"].read(), body)


def presigned_parts():
    where = {"Bucket": BUCKET, "Key": "presigned parts"}
    upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    parts = []
    for number, body in enumerate(cut(BIG.body(), 8 * MIB), 1):
        answer = plain_http.put(sign("upload_part", upload | {"PartNumber": number}), body)
        equal("part", (answer.status, answer.headers["etag"]), (200, f'"{hashlib.md5(body).hexdigest()}"'))
        parts.append({"PartNumber": number, "ETag": answer.headers["etag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert read(**where) == BIG.body(), "other bytes came back"


def checksums():
    body = BIG.body()
    sums = {
        "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
        "SHA1": lambda data: hashlib.sha1(data).digest(),
        "SHA256": lambda data: hashlib.sha256(data).digest(),
    }
    for algorithm, digest in sums.items():
        field, key = f"Checksum{algorithm}", f"summed/{algorithm}"
        want = base64.b64encode(digest(body)).decode()
        answer = s3.put_object(Bucket=BUCKET, Key=key, Body=io.BytesIO(body), ChecksumAlgorithm=algorithm)
        equal(field, answer[field], want)
        head = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        equal("head", (head[field], head["ChecksumType"]), (want, "FULL_OBJECT"))
        refused("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=b"other", **{field: want})

        s3.upload_fileobj(io.BytesIO(body), BUCKET, f"{key}/parts", ExtraArgs={"ChecksumAlgorithm": algorithm})
        head = s3.head_object(Bucket=BUCKET, Key=f"{key}/parts", ChecksumMode="ENABLED")
        if head["ChecksumType"] == "COMPOSITE":
            parts = [digest(part) for part in cut(body, 8 * MIB)]
            whole, want = want, f"{base64.b64encode(digest(b''.join(parts))).decode()}-{len(parts)}"
            copy = s3.copy_object(Bucket=OTHER, Key=f"{key}/copy", CopySource=f"{BUCKET}/{key}/parts")
            equal(f"{field} of the copy", copy["CopyObjectResult"][field], whole)
        equal(f"{field} of parts", head[field], want)
        # The client verifies it while it reads.
        answer = s3.get_object(Bucket=BUCKET, Key=f"{key}/parts", ChecksumMode="ENABLED")
        assert answer["Body"].read() == body, "other bytes came back"
    refused("404", 404, s3.head_object, Bucket=BUCKET, Key="bad")


def conditional_completion():
    where = {"Bucket": BUCKET, "Key": "condition"}
    etag = s3.put_object(**where, Body=b"1")["ETag"]
    upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    parts = [{"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"2")["ETag"]}]
    complete = {"MultipartUpload": {"Parts": parts}} | upload
    refused("PreconditionFailed", 412, s3.complete_multipart_upload, **complete, IfNoneMatch="*")
    refused("PreconditionFailed", 412, s3.complete_multipart_upload, **complete, IfMatch='"other"')
    equal("before", read(**where), b"1")
    s3.complete_multipart_upload(**complete, IfMatch=etag)
    equal("after", read(**where), b"2")


def remove():
    for bucket in (BUCKET, OTHER):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=entry["Key"])
        s3.delete_bucket(Bucket=bucket)


run(
    managed_upload, parts_are_read_one_by_one, managed_copy, renamed, parts_from_everywhere, uploads_are_listed_and_aborted,
    presigned, presigned_with_version_2, presigned_parts, checksums, conditional_completion, remove,
)  # fmt: skip
