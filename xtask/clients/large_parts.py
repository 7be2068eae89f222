"""boto3: an upload of 10,000 parts of 5 MiB, few of them distinct, read back part by part and across parts."""

import base64
import hashlib
import random
import zlib
from concurrent.futures import ThreadPoolExecutor

import boto3
import large
from large import MIB
from session import arguments, equal, refused, run

BUCKET, KEY = "large-parts", "ten thousand"
COUNT, PART, LAST = 10_000, 5 * MIB, 12345
SIZE = (COUNT - 1) * PART + LAST
WHERE = {"Bucket": BUCKET, "Key": KEY}
args = arguments()
s3 = boto3.client("s3", config=boto3.session.Config(max_pool_connections=8))
rng = random.Random(f"parts/{args.seed}")
DISTINCT = [b"".join(large.pieces(f"part-{n}", PART, args.seed)) for n in range(5)]
CHOSEN = [rng.randrange(len(DISTINCT)) for _ in range(COUNT)]
MD5 = [hashlib.md5(body).digest() for body in DISTINCT]
CRC32 = [base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode() for body in DISTINCT]
upload: dict = {}


def body(number: int) -> bytes:
    whole = DISTINCT[CHOSEN[number - 1]]
    return whole if number < COUNT else whole[:LAST]


def md5(number: int) -> bytes:
    return MD5[CHOSEN[number - 1]] if number < COUNT else hashlib.md5(body(number)).digest()


def crc32(number: int) -> str:
    last = base64.b64encode(zlib.crc32(body(COUNT)).to_bytes(4, "big")).decode()
    return CRC32[CHOSEN[number - 1]] if number < COUNT else last


def between(first: int, last: int) -> bytes:
    """Bytes `first` to `last`, both included."""
    numbers = range(first // PART + 1, last // PART + 2)
    start = first - (numbers[0] - 1) * PART
    return b"".join(body(number) for number in numbers)[start : start + last - first + 1]


def send():
    s3.create_bucket(Bucket=BUCKET)
    upload.update(WHERE | {"UploadId": s3.create_multipart_upload(**WHERE, ChecksumAlgorithm="CRC32")["UploadId"]})

    def one(number: int) -> None:
        answer = s3.upload_part(**upload, PartNumber=number, Body=body(number), ChecksumAlgorithm="CRC32")
        equal(f"part {number}", (answer["ETag"], answer["ChecksumCRC32"]), (f'"{md5(number).hex()}"', crc32(number)))

    numbers = list(range(1, COUNT + 1))
    rng.shuffle(numbers)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, numbers))
    refused("InvalidArgument", 400, s3.upload_part, **upload, PartNumber=COUNT + 1, Body=b"x")
    return f"{SIZE / 1e9:.1f} GB"


def list_them():
    for page_size in (1000, 777):
        pages = list(s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": page_size}))
        equal("pages", len(pages), -(-COUNT // page_size))
        got = [(part["PartNumber"], part["Size"], part["ETag"]) for page in pages for part in page["Parts"]]
        want = [(n, PART if n < COUNT else LAST, f'"{md5(n).hex()}"') for n in range(1, COUNT + 1)]
        assert got == want, f"{len(got)} parts, the first other one: {next(p for p in zip(got, want) if p[0] != p[1])}"


def complete():
    parts = [{"PartNumber": n, "ETag": md5(n).hex(), "ChecksumCRC32": crc32(n)} for n in range(1, COUNT + 1)]
    answer = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    equal("ETag", answer["ETag"], etag())
    again = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    equal("ETag, the second time", again["ETag"], etag())


def etag() -> str:
    return f'"{hashlib.md5(b"".join(md5(n) for n in range(1, COUNT + 1))).hexdigest()}-{COUNT}"'


def head():
    answer = s3.head_object(**WHERE, ChecksumMode="ENABLED")
    equal("head", (answer["ContentLength"], answer["ETag"]), (SIZE, etag()))
    sums = b"".join(base64.b64decode(crc32(n)) for n in range(1, COUNT + 1))
    whole = base64.b64encode(zlib.crc32(sums).to_bytes(4, "big")).decode()
    equal("checksum", (answer["ChecksumCRC32"], answer["ChecksumType"]), (f"{whole}-{COUNT}", "COMPOSITE"))
    entry = s3.list_objects_v2(Bucket=BUCKET)["Contents"][0]
    equal("listed", (entry["Key"], entry["Size"], entry["ETag"]), (KEY, SIZE, etag()))


def single_parts():
    for number in (1, 2, COUNT // 3, COUNT - 1, COUNT, *rng.sample(range(1, COUNT), 20)):
        answer = s3.head_object(**WHERE, PartNumber=number)
        equal(f"head of part {number}", (answer["PartsCount"], answer["ContentLength"]), (COUNT, len(body(number))))
        answer = s3.get_object(**WHERE, PartNumber=number)
        first = (number - 1) * PART
        equal("range", answer["ContentRange"], f"bytes {first}-{first + len(body(number)) - 1}/{SIZE}")
        equal("count", answer["PartsCount"], COUNT)
        assert answer["Body"].read() == body(number), f"part {number} came back with other bytes"
    refused("InvalidArgument", 400, s3.get_object, **WHERE, PartNumber=COUNT + 1)


def attributes():
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    got, marker = [], 0
    while True:
        answer = s3.get_object_attributes(**WHERE, ObjectAttributes=wanted, MaxParts=1000, PartNumberMarker=marker)
        parts = answer["ObjectParts"]
        equal("whole", (answer["ObjectSize"], f'"{answer["ETag"]}"', parts["TotalPartsCount"]), (SIZE, etag(), COUNT))
        got += [(part["PartNumber"], part["Size"], part["ChecksumCRC32"]) for part in parts["Parts"]]
        if not parts["IsTruncated"]:
            break
        marker = parts["NextPartNumberMarker"]
    want = [(n, PART if n < COUNT else LAST, crc32(n)) for n in range(1, COUNT + 1)]
    assert got == want, f"{len(got)} parts, not the {COUNT} that were sent"


def ranges():
    wanted = [(0, 0), (PART - 10, PART + 9), (PART - 1, 3 * PART), (SIZE - LAST - 7, SIZE - 1), (SIZE - 1, SIZE - 1)]
    for _ in range(30):
        first = rng.randrange(SIZE - 3 * PART)
        wanted.append((first, first + rng.randrange(3 * PART)))
    for first, last in wanted:
        answer = s3.get_object(**WHERE, Range=f"bytes={first}-{last}")
        equal("range", answer["ContentRange"], f"bytes {first}-{last}/{SIZE}")
        assert answer["Body"].read() == between(first, last), f"bytes {first}-{last} came back as others"


def too_large_to_copy_at_once():
    refused("InvalidRequest", 400, s3.copy_object, Bucket=BUCKET, Key="copy", CopySource=WHERE)


def remove():
    s3.delete_object(**WHERE)
    s3.delete_bucket(Bucket=BUCKET)


run(
    send, list_them, complete, head, single_parts, attributes, ranges, too_large_to_copy_at_once, remove,
)  # fmt: skip
