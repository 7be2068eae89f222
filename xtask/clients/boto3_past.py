"""boto3 and the AWS CLI on past states: by name and by signed header, read as it was, never written."""

import datetime
import time

import boto3
import command
import corpus
from botocore.config import Config
from session import arguments, equal, refused, run

BUCKET = "past"
args = arguments()
files = corpus.paths(min(args.files, 100), args.seed)
up, down = args.work / "up", args.work / "down"
aws = command.aws()
s3 = boto3.client("s3", config=Config(signature_version="s3v4", retries={"max_attempts": 1}))
then = {}


def fill_and_empty():
    corpus.write_tree(files, up)
    s3.create_bucket(Bucket=BUCKET)
    aws("s3", "sync", str(up), f"s3://{BUCKET}", "--only-show-errors")
    time.sleep(1.1)
    now = datetime.datetime.now(datetime.timezone.utc)
    then["name"] = f"{BUCKET}--at-{now:%Y%m%dt%H%M%Sz}"
    then["header"] = now.isoformat(timespec="milliseconds")
    time.sleep(1.1)
    aws("s3", "rm", f"s3://{BUCKET}", "--recursive", "--only-show-errors")
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def listed_by_every_listing():
    want = {file.name: file.size for file in files}
    for method, entries in [("list_objects_v2", "Contents"), ("list_objects", "Contents"), ("list_object_versions", "Versions")]:
        pages = s3.get_paginator(method).paginate(Bucket=then["name"], PaginationConfig={"PageSize": 17})
        got = {entry["Key"]: entry["Size"] for page in pages for entry in page.get(entries, [])}
        equal(method, got, want)


def synced_down():
    down.mkdir()
    aws("s3", "sync", f"s3://{then['name']}", str(down), "--only-show-errors")
    corpus.compare_tree(files, down)
    equal("a second sync", aws("s3", "sync", f"s3://{then['name']}", str(down)), "")


def read_by_a_presigned_url():
    import urllib.request

    file = max(files, key=lambda file: file.size)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": then["name"], "Key": file.name})
    with urllib.request.urlopen(url) as answer:
        equal("body", answer.read(), file.body())


def read_by_the_header():
    client = boto3.client("s3", config=Config(retries={"max_attempts": 1}))

    def at(request, **_):
        request.headers.add_header("x-carob-at", then["header"])

    client.meta.events.register("before-sign.s3", at)
    equal("keys", client.list_objects_v2(Bucket=BUCKET)["KeyCount"], len(files))
    for file in files[:5]:
        equal(file.name, client.get_object(Bucket=BUCKET, Key=file.name)["Body"].read(), file.body())
    refused("MethodNotAllowed", 405, client.put_object, Bucket=BUCKET, Key="k", Body=b"x")
    refused("MethodNotAllowed", 405, client.delete_object, Bucket=BUCKET, Key=files[0].name)


def never_written():
    refused("MethodNotAllowed", 405, s3.put_object, Bucket=then["name"], Key="k", Body=b"x")
    refused("MethodNotAllowed", 405, s3.delete_object, Bucket=then["name"], Key=files[0].name)
    refused("MethodNotAllowed", 405, s3.delete_bucket, Bucket=then["name"])
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket=f"{BUCKET}--at-20010101t0000z")
    assert then["name"] not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def copied_back():
    aws("s3", "cp", f"s3://{then['name']}", f"s3://{BUCKET}", "--recursive", "--only-show-errors")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    got = {entry["Key"]: entry["Size"] for page in pages for entry in page["Contents"]}
    equal("objects", got, {file.name: file.size for file in files})


run(
    fill_and_empty,
    listed_by_every_listing,
    synced_down,
    read_by_a_presigned_url,
    read_by_the_header,
    never_written,
    copied_back,
)
