"""boto3: conditions, checksums, headers, and the exact code of every error."""

import base64
import datetime
import hashlib
import io
import json
import os
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from session import arguments, equal, refused, run

BUCKET = "boto3-rules"
args = arguments()
s3 = boto3.client("s3")
CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict"}


def buckets():
    s3.create_bucket(Bucket=BUCKET)
    equal("status", s3.head_bucket(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"], 200)
    equal("location", s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"], None)
    bucket = next(b for b in s3.list_buckets()["Buckets"] if b["Name"] == BUCKET)
    age = datetime.datetime.now(datetime.timezone.utc) - bucket["CreationDate"]
    assert abs(age) < datetime.timedelta(minutes=10), f"created {age} ago"


def bucket_errors():
    for name in ["Upper-Case", "under_score", "ab", "192.168.0.1", "xn--reserved", "two..dots", "-dash"]:
        refused("InvalidBucketName", 400, s3.create_bucket, Bucket=name)
    for call in (s3.list_objects_v2, s3.delete_bucket, s3.get_bucket_location):
        refused("NoSuchBucket", 404, call, Bucket="no-such-bucket")
    refused("404", 404, s3.head_bucket, Bucket="no-such-bucket")
    refused("NoSuchBucket", 404, s3.put_object, Bucket="no-such-bucket", Key="k", Body=b"x")
    refused("NoSuchBucket", 404, s3.get_object, Bucket="no-such-bucket", Key="k")
    refused("NoSuchBucket", 404, s3.delete_object, Bucket="no-such-bucket", Key="k")
    delete = {"Objects": [{"Key": "k"}]}
    refused("NoSuchBucket", 404, s3.delete_objects, Bucket="no-such-bucket", Delete=delete)
    s3.put_object(Bucket=BUCKET, Key="in the way", Body=b"")
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket=BUCKET)
    s3.delete_object(Bucket=BUCKET, Key="in the way")


def object_errors():
    refused("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key="absent")
    refused("404", 404, s3.head_object, Bucket=BUCKET, Key="absent")
    refused("KeyTooLongError", 400, s3.put_object, Bucket=BUCKET, Key="k" * 1025, Body=b"x")
    s3.put_object(Bucket=BUCKET, Key="ten", Body=b"0123456789")
    s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    refused("InvalidRange", 416, s3.get_object, Bucket=BUCKET, Key="ten", Range="bytes=10-")
    refused("InvalidRange", 416, s3.get_object, Bucket=BUCKET, Key="empty", Range="bytes=0-")
    answer = s3.delete_object(Bucket=BUCKET, Key="absent")
    equal("delete of an absent key", answer["ResponseMetadata"]["HTTPStatusCode"], 204)
    objects = [{"Key": "absent"}, {"Key": "ten"}]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": objects, "Quiet": True})
    equal("quiet answer", (answer.get("Deleted", []), answer.get("Errors", [])), ([], []))
    refused("MalformedXML", 400, s3.delete_objects, Bucket=BUCKET, Delete={"Objects": []})


def bad_keys_of_access():
    secret = "not the secret of that key at all"
    known = os.environ["AWS_ACCESS_KEY_ID"]
    wrong = boto3.client("s3", aws_access_key_id=known, aws_secret_access_key=secret)
    refused("SignatureDoesNotMatch", 403, wrong.list_buckets)
    nobody = boto3.client("s3", aws_access_key_id="NOSUCHKEY", aws_secret_access_key=secret)
    refused("InvalidAccessKeyId", 403, nobody.list_buckets)


def every_answer_has_its_ids():
    answer = s3.put_object(Bucket=BUCKET, Key="ids", Body=b"x")["ResponseMetadata"]
    assert answer["RequestId"] and answer["HostId"], f"ids missing: {answer}"
    try:
        s3.get_object(Bucket=BUCKET, Key="absent")
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        assert answer["RequestId"] and answer["HostId"], f"ids missing on an error: {answer}"


def headers_come_back():
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    sent = {
        "ContentType": "text/plain; charset=utf-8",
        "CacheControl": "max-age=60, public",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "identity",
        "ContentLanguage": "de, en",
        "Expires": expires,
        "Metadata": {"one": "1", "with-dash": "some, text; = more"},
    }
    s3.put_object(Bucket=BUCKET, Key="headers", Body=b"x", **sent)
    for call in (s3.head_object, s3.get_object):
        answer = call(Bucket=BUCKET, Key="headers")
        equal("headers", {name: answer.get(name) for name in sent}, sent)
        age = datetime.datetime.now(datetime.timezone.utc) - answer["LastModified"]
        assert abs(age) < datetime.timedelta(minutes=10), f"modified {age} ago"
    answer = s3.get_object(Bucket=BUCKET, Key="headers", ResponseContentType="x/y", ResponseCacheControl="no-store")
    equal("overrides", (answer["ContentType"], answer["CacheControl"]), ("x/y", "no-store"))
    s3.put_object(Bucket=BUCKET, Key="plain", Body=b"x")
    equal("default type", s3.head_object(Bucket=BUCKET, Key="plain")["ContentType"], "binary/octet-stream")


def checksums():
    body = b"some bytes to sum up" * 100
    crc32 = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    answer = s3.put_object(Bucket=BUCKET, Key="summed", Body=body)
    equal("CRC32 of the put", answer.get("ChecksumCRC32"), crc32)
    answer = s3.head_object(Bucket=BUCKET, Key="summed", ChecksumMode="ENABLED")
    equal("CRC32 of the head", answer.get("ChecksumCRC32"), crc32)
    wrong = base64.b64encode(b"\0\0\0\0").decode()
    refused("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=body, ChecksumCRC32=wrong)
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    s3.put_object(Bucket=BUCKET, Key="md5", Body=body, ContentMD5=md5)
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    refused("BadDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=body, ContentMD5=md5)
    refused("InvalidDigest", 400, s3.put_object, Bucket=BUCKET, Key="bad", Body=body, ContentMD5="no md5")
    refused("404", 404, s3.head_object, Bucket=BUCKET, Key="bad")


def conditional_reads():
    etag = s3.put_object(Bucket=BUCKET, Key="condition", Body=b"x")["ETag"]
    hour = datetime.timedelta(hours=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    where = {"Bucket": BUCKET, "Key": "condition"}
    s3.get_object(**where, IfMatch=etag)
    s3.get_object(**where, IfNoneMatch='"other"')
    s3.get_object(**where, IfModifiedSince=now - hour)
    s3.get_object(**where, IfUnmodifiedSince=now + hour)
    refused("PreconditionFailed", 412, s3.get_object, **where, IfMatch='"other"')
    refused("PreconditionFailed", 412, s3.get_object, **where, IfUnmodifiedSince=now - hour)
    refused("304", 304, s3.get_object, **where, IfNoneMatch=etag)
    refused("304", 304, s3.get_object, **where, IfModifiedSince=now + hour)


def conditional_writes():
    where = {"Bucket": BUCKET, "Key": "once"}
    etag = s3.put_object(**where, Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, **where, Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", 412, s3.put_object, **where, Body=b"2", IfMatch='"other"')
    s3.put_object(**where, Body=b"2", IfMatch=etag)
    equal("body", s3.get_object(**where)["Body"].read(), b"2")
    refused("NoSuchKey", 404, s3.put_object, Bucket=BUCKET, Key="absent", Body=b"x", IfMatch=etag)


def one_of_many_creates_wins():
    for round_ in range(5):
        start = threading.Barrier(12)

        def create(n, key=f"race-{round_}", start=start):
            start.wait()
            try:
                s3.put_object(Bucket=BUCKET, Key=key, Body=str(n).encode(), IfNoneMatch="*")
            except ClientError as error:
                assert error.response["Error"]["Code"] in CONFLICTS, error
                return None
            return n

        with ThreadPoolExecutor(12) as pool:
            winners = [n for n in pool.map(create, range(12)) if n is not None]
        equal("number of winners", len(winners), 1)
        body = s3.get_object(Bucket=BUCKET, Key=f"race-{round_}")["Body"].read()
        equal("body", body, str(winners[0]).encode())


def compare_and_swap_loses_no_update():
    where = {"Bucket": BUCKET, "Key": "counter"}
    s3.put_object(**where, Body=b"0")

    def add_ten(_):
        added = 0
        while added < 10:
            answer = s3.get_object(**where)
            value = int(answer["Body"].read())
            try:
                s3.put_object(**where, Body=str(value + 1).encode(), IfMatch=answer["ETag"])
                added += 1
            except ClientError as error:
                assert error.response["Error"]["Code"] in CONFLICTS, error

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add_ten, range(6)))
    equal("counter", s3.get_object(**where)["Body"].read(), b"60")


def connections_stay_in_step():
    """Answers given before the body was asked for must not confuse the next request on the connection.

    A server that answers "Expect: 100-continue" with a final status must announce that it closes: botocore
    then sends no body, and takes up the connection again. No retries and a short wait, since a program with
    the defaults would only be slow.
    """
    config = Config(max_pool_connections=1, read_timeout=10, retries={"total_max_attempts": 1})
    where = {"Bucket": BUCKET, "Key": "step"}

    def refuse_and_read(_):
        one = boto3.session.Session().client("s3", config=config)
        for size in [2] * 40 + [100_000, 1_000_000, 5_000_000]:
            for body in (b"x" * size, io.BytesIO(b"x" * size)):
                refused("PreconditionFailed", 412, one.put_object, **where, Body=body, IfNoneMatch="*")
                equal("body", one.get_object(**where)["Body"].read(), b"last")

    one = boto3.client("s3", config=config)
    for body in (b"", b"first", b"x" * 100_000, b"", b"", b"last"):
        one.put_object(**where, Body=io.BytesIO(body))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(refuse_and_read, range(6)))


def what_is_public_needs_no_signature():
    """A public list or policy lets in who has not signed, as far as it goes and as long as it is there."""
    nobody = boto3.client("s3", config=Config(signature_version=UNSIGNED))
    for key, acl in [("open", "public-read"), ("shut", "private")]:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), ACL=acl)
    equal("body", nobody.get_object(Bucket=BUCKET, Key="open")["Body"].read(), b"open")
    refused("AccessDenied", 403, nobody.get_object, Bucket=BUCKET, Key="shut")
    refused("AccessDenied", 403, nobody.list_objects_v2, Bucket=BUCKET)
    resource = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/shut"]
    allow = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
    equal("policy", s3.get_bucket_policy(Bucket=BUCKET)["Policy"], policy)
    equal("public", s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"], True)
    equal("body", nobody.get_object(Bucket=BUCKET, Key="shut")["Body"].read(), b"shut")
    assert nobody.list_objects_v2(Bucket=BUCKET)["KeyCount"] > 1
    refused("AccessDenied", 403, nobody.put_object, Bucket=BUCKET, Key="shut", Body=b"x")
    block = {"IgnorePublicAcls": True, "RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
    for key in ["open", "shut"]:
        refused("AccessDenied", 403, nobody.get_object, Bucket=BUCKET, Key=key)
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.delete_bucket_policy(Bucket=BUCKET)
    refused("AccessDenied", 403, nobody.get_object, Bucket=BUCKET, Key="shut")
    refused("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket=BUCKET)
    refused("MalformedPolicy", 400, s3.put_bucket_policy, Bucket=BUCKET, Policy="{}")


def what_is_not_there_says_so():
    """Headers that change the meaning are refused while they are not supported, never ignored."""
    where = {"Bucket": BUCKET, "Key": "refused", "Body": b"x"}
    refused("NotImplemented", 501, s3.put_object, **where, StorageClass="GLACIER")
    refused("InvalidRequest", 400, s3.put_object, **where, ObjectLockLegalHoldStatus="ON")
    refused("404", 404, s3.head_object, Bucket=BUCKET, Key="refused")
    s3.put_object(**where | {"Key": "private"}, ACL="private")
    s3.put_object(**where | {"Key": "private"}, ACL="bucket-owner-full-control")
    site = {"IndexDocument": {"Suffix": "index.html"}}
    refused("NotImplemented", 501, s3.put_bucket_website, Bucket=BUCKET, WebsiteConfiguration=site)


def clean_up():
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    s3.delete_bucket(Bucket=BUCKET)


run(
    buckets, bucket_errors, object_errors, bad_keys_of_access, every_answer_has_its_ids, headers_come_back,
    checksums, conditional_reads, conditional_writes, one_of_many_creates_wins,
    compare_and_swap_loses_no_update, connections_stay_in_step, what_is_public_needs_no_signature,
    what_is_not_there_says_so, clean_up,
)  # fmt: skip
