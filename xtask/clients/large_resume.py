"""boto3: a 5 GiB upload that goes on from ListParts; each step is a process of its own, and may be killed."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
import large
from large import GIB, MIB
from session import arguments, equal, run

BUCKET, KEY, NAME = "large-resume", "five/gibi bytes.bin", "resume"
SIZE, PART = 5 * GIB, 8 * MIB
COUNT = SIZE // PART
WHERE = {"Bucket": BUCKET, "Key": KEY}
args = arguments("step")
s3 = boto3.client("s3", config=boto3.session.Config(max_pool_connections=10))
upload_id, acknowledged = args.work / "upload-id", args.work / "acknowledged"


def body(number: int) -> bytes:
    start = (number - 1) * (PART // MIB)
    return b"".join(large.piece(NAME, start + n, args.seed) for n in range(PART // MIB))


def etag(number: int) -> str:
    return f'"{hashlib.md5(body(number)).hexdigest()}"'


def upload() -> dict:
    return WHERE | {"UploadId": upload_id.read_text()}


def listed() -> dict[int, dict]:
    pages = s3.get_paginator("list_parts").paginate(**upload())
    return {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}


def begin():
    s3.create_bucket(Bucket=BUCKET)
    upload_id.write_text(s3.create_multipart_upload(**WHERE, Metadata={"a": "b"})["UploadId"])
    acknowledged.touch()


def go_on():
    """Sends the parts that are not there; nothing that was ever acknowledged is missing."""
    there = listed()
    known = {int(line) for line in acknowledged.read_text().split()}
    assert known <= set(there), f"acknowledged and gone: {sorted(known - set(there))}"
    for number, part in there.items():
        equal(f"part {number}", (part["Size"], part["ETag"]), (PART, etag(number)))
    print(f"{len(there)} parts are there, {len(known)} of them were acknowledged", flush=True)
    lock = threading.Lock()

    def send(number: int) -> None:
        answer = s3.upload_part(**upload(), PartNumber=number, Body=body(number))
        equal(f"ETag of part {number}", answer["ETag"], etag(number))
        with lock, acknowledged.open("a") as file:
            file.write(f"{number}\n")
            file.flush()
            if args.step == "upload":
                print(f"part {number}", flush=True)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(send, sorted(set(range(1, COUNT + 1)) - set(there))))
    equal("parts", sorted(listed()), list(range(1, COUNT + 1)))


def complete():
    parts = [{"PartNumber": number, "ETag": etag(number)} for number in range(1, COUNT + 1)]
    want = hashlib.md5(b"".join(bytes.fromhex(part["ETag"].strip('"')) for part in parts)).hexdigest()
    answer = s3.complete_multipart_upload(**upload(), MultipartUpload={"Parts": parts})
    equal("status", answer["ResponseMetadata"]["HTTPStatusCode"], 200)
    equal("answer", (answer["ETag"], answer["Bucket"], answer["Key"]), (f'"{want}-{COUNT}"', BUCKET, KEY))
    print(f"completed {answer['ETag']}", flush=True)


def read():
    head = s3.head_object(**WHERE)
    equal("head", (head["ContentLength"], head["Metadata"]), (SIZE, {"a": "b"}))
    large.compare(s3.get_object(**WHERE)["Body"].read, NAME, SIZE, args.seed)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET), "the upload is still listed"


run({"begin": begin, "upload": go_on, "finish": go_on, "complete": complete, "read": read}[args.step])
