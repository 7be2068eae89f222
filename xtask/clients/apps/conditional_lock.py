"""A lock by conditional writes, as Terraform's S3 backend keeps it: created by If-None-Match, broken by If-Match."""

import random
import threading
import time
import uuid

import boto3
from app import report, s3
from botocore.config import Config
from botocore.exceptions import ClientError
from session import arguments, equal

BUCKET, LOCK, COUNTER = "locks", "state.tflock", "counter"
CONTENDERS, TURNS = 16, 8
args = arguments()
holders: list[str] = []
overlaps: list[list[str]] = []
inside = threading.Lock()


def lost(error: ClientError) -> bool:
    """Another one was quicker: 412 when it is done, 409 while it is at it."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"] in (412, 409)


def contend(failures: list[BaseException], turns) -> None:
    client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
    try:
        for _ in range(TURNS):
            turns(client)
    except BaseException as error:
        failures.append(error)


def all_at_once(turns) -> None:
    failures: list[BaseException] = []
    threads = [threading.Thread(target=contend, args=(failures, turns)) for _ in range(CONTENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal("failures", failures, [])


def hold_once(client) -> None:
    me = uuid.uuid4().hex
    while True:
        try:
            tag = client.put_object(Bucket=BUCKET, Key=LOCK, Body=me.encode(), IfNoneMatch="*")["ETag"]
            break
        except ClientError as error:
            if not lost(error):
                raise
            time.sleep(random.uniform(0, 0.02))
    with inside:
        holders.append(me)
        if len(holders) > 1:
            overlaps.append(list(holders))
    equal("the lock's body", client.get_object(Bucket=BUCKET, Key=LOCK)["Body"].read(), me.encode())
    with inside:
        holders.remove(me)
    client.delete_object(Bucket=BUCKET, Key=LOCK, IfMatch=tag)


def one_at_a_time():
    s3.create_bucket(Bucket=BUCKET)
    all_at_once(hold_once)
    equal("held by more than one", overlaps, [])
    return f"{CONTENDERS} contenders held a lock {CONTENDERS * TURNS} times, one at a time"


def add_one(client) -> None:
    while True:
        answer = client.get_object(Bucket=BUCKET, Key=COUNTER)
        next_ = str(int(answer["Body"].read()) + 1).encode()
        try:
            client.put_object(Bucket=BUCKET, Key=COUNTER, Body=next_, IfMatch=answer["ETag"])
            return
        except ClientError as error:
            if not lost(error):
                raise


def counted():
    s3.put_object(Bucket=BUCKET, Key=COUNTER, Body=b"0")
    all_at_once(add_one)
    equal("counter", int(s3.get_object(Bucket=BUCKET, Key=COUNTER)["Body"].read()), CONTENDERS * TURNS)
    return f"a counter raised {CONTENDERS * TURNS} times by compare and swap"


def stolen_locks_stay():
    """Whoever breaks a lock by an entity tag that is not the lock's now breaks nothing."""
    old = s3.put_object(Bucket=BUCKET, Key=LOCK, Body=b"old", IfNoneMatch="*")["ETag"]
    s3.put_object(Bucket=BUCKET, Key=LOCK, Body=b"new", IfMatch=old)
    try:
        s3.delete_object(Bucket=BUCKET, Key=LOCK, IfMatch=old)
    except ClientError as error:
        equal("status", error.response["ResponseMetadata"]["HTTPStatusCode"], 412)
    else:
        raise AssertionError("a lock was broken by the entity tag of another one")
    equal("still there", s3.get_object(Bucket=BUCKET, Key=LOCK)["Body"].read(), b"new")


report("boto3 lock", boto3.__version__, one_at_a_time, counted, stolen_locks_stay)
