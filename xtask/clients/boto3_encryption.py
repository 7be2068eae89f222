"""boto3: encryption at rest with customers' keys, the space's and its default named one, whole, in parts and by range."""

import hashlib
import io
import random

import boto3
from boto3.s3.transfer import TransferConfig
from session import arguments, equal, refused, run

BUCKET = "boto3-encryption"
args = arguments()
s3 = boto3.client("s3")
rng = random.Random(args.seed)
MIB = 1 << 20
SIZES = [0, 1, 65_519, 65_520, 65_521, 1_048_319, 1_048_320, 1_048_321, 3 * MIB + 5]


def customer(seed: int) -> dict:
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": hashlib.sha256(bytes([seed])).digest()}


def source(key: dict) -> dict:
    return {f"CopySource{name}": value for name, value in key.items()}


ONE, TWO = customer(1), customer(2)
# What a write asks for, and what a read then needs.
WAYS = {
    "plain": ({}, {}),
    "customer": (ONE, ONE),
    "space": ({"ServerSideEncryption": "AES256"}, {}),
    "named": ({"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": "eyJhIjoiYiJ9"}, {}),
}


def whole():
    s3.create_bucket(Bucket=BUCKET)
    for way, (ask, need) in WAYS.items():
        for size in SIZES:
            body = rng.randbytes(size)
            key = f"{way}/{size}"
            put = s3.put_object(Bucket=BUCKET, Key=key, Body=body, **ask)
            get = s3.get_object(Bucket=BUCKET, Key=key, **need)
            equal(key, get["Body"].read(), body)
            equal("length", get["ContentLength"], size)
            equal("method", get.get("ServerSideEncryption"), ask.get("ServerSideEncryption"))
            equal("entity tag", get["ETag"], put["ETag"])
            is_md5 = get["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
            equal("the entity tag is the MD5", is_md5, way in ["plain", "space"])


def ranges():
    for way, (ask, need) in WAYS.items():
        body = rng.randbytes(3 * MIB + 5)
        s3.put_object(Bucket=BUCKET, Key="ranges", Body=body, **ask)
        for _ in range(30):
            first = rng.randrange(len(body))
            last = min(first + rng.choice([0, 9, 70_000, 2 * MIB]), len(body) - 1)
            get = s3.get_object(Bucket=BUCKET, Key="ranges", Range=f"bytes={first}-{last}", **need)
            equal(f"{way} {first}-{last}", get["Body"].read(), body[first : last + 1])


def parts():
    config = TransferConfig(multipart_threshold=MIB, multipart_chunksize=5 * MIB + 7)
    for way, (ask, need) in WAYS.items():
        body = rng.randbytes(11 * MIB + 3)
        s3.upload_fileobj(io.BytesIO(body), BUCKET, "parts", ExtraArgs=ask, Config=config)
        got = io.BytesIO()
        s3.download_fileobj(BUCKET, "parts", got, ExtraArgs=need, Config=config)
        equal(way, got.getvalue(), body)
        second = s3.get_object(Bucket=BUCKET, Key="parts", PartNumber=2, **need)
        equal("second part", second["Body"].read(), body[5 * MIB + 7 : 10 * MIB + 14])


def copies():
    for way, (ask, need) in WAYS.items():
        body = rng.randbytes(2 * MIB)
        s3.put_object(Bucket=BUCKET, Key="source", Body=body, **ask)
        for other, (into, then) in (WAYS | {"other": (TWO, TWO)}).items():
            place = {"Bucket": BUCKET, "Key": "source"}
            s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=place, **into, **source(need))
            equal(f"{way} to {other}", s3.get_object(Bucket=BUCKET, Key="copy", **then)["Body"].read(), body)


def refusals():
    s3.put_object(Bucket=BUCKET, Key="secret", Body=b"x", **ONE)
    read = {"Bucket": BUCKET, "Key": "secret"}
    refused("InvalidRequest", 400, s3.get_object, **read)
    refused("AccessDenied", 403, s3.get_object, **read, **TWO)
    refused("400", 400, s3.head_object, **read)
    s3.put_object(Bucket=BUCKET, Key="plain", Body=b"x")
    refused("InvalidRequest", 400, s3.get_object, Bucket=BUCKET, Key="plain", **ONE)
    unknown = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "nobody-made-this"}
    refused("KMS.NotFoundException", 400, s3.put_object, Bucket=BUCKET, Key="x", Body=b"x", **unknown)


def defaults():
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    got = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    equal("rules", got, [rule])
    equal("by default", s3.put_object(Bucket=BUCKET, Key="x", Body=b"x")["ServerSideEncryption"], "AES256")
    s3.delete_bucket_encryption(Bucket=BUCKET)
    equal("no more", "ServerSideEncryption" in s3.put_object(Bucket=BUCKET, Key="x", Body=b"x"), False)
    code = "ServerSideEncryptionConfigurationNotFoundError"
    refused(code, 404, s3.get_bucket_encryption, Bucket=BUCKET)


run(whole, ranges, parts, copies, refusals, defaults)
