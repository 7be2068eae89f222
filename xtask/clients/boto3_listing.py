"""boto3: ListObjectsV2, page by page, against a plain model."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.exceptions import ClientError
from session import arguments, equal, run

BUCKET, ELSEWHERE = "boto3-listing", "boto3-elsewhere"
args = arguments()
s3 = boto3.client("s3")
rng = random.Random(f"listing/{args.seed}")
KEYS: list[str] = []


def model(prefix: str, delimiter: str, start_after: str) -> list[tuple[str, str]]:
    """What a whole listing holds, in order: ("key", name) and ("prefix", name)."""
    entries = []
    for key in sorted(KEYS, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= start_after.encode():
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        kind, name = ("key", key) if cut < 0 else ("prefix", key[: cut + len(delimiter)])
        if name.encode() > start_after.encode() and (kind, name) not in entries[-1:]:
            entries.append((kind, name))
    return entries


def page_entries(page: dict) -> list[tuple[str, str]]:
    entries = [("key", entry["Key"]) for entry in page.get("Contents", [])]
    entries += [("prefix", entry["Prefix"]) for entry in page.get("CommonPrefixes", [])]
    return sorted(entries, key=lambda entry: entry[1].encode())


def compare(prefix: str, delimiter: str, start_after: str, max_keys: int) -> int:
    """Walks a listing; every page must be full, and all pages together equal the model."""
    what = f"prefix {prefix!r} delimiter {delimiter!r} start-after {start_after!r} max-keys {max_keys}"
    wanted = model(prefix, delimiter, start_after)
    parameters = {"Bucket": BUCKET, "MaxKeys": max_keys, "Prefix": prefix}
    parameters |= {"Delimiter": delimiter} if delimiter else {}
    parameters |= {"StartAfter": start_after} if start_after else {}
    pages = 0
    while True:
        page = s3.list_objects_v2(**parameters)
        pages += 1
        here, wanted = wanted[:max_keys], wanted[max_keys:]
        equal(f"page {pages} of {what}", page_entries(page), here)
        equal(f"KeyCount of page {pages} of {what}", page["KeyCount"], len(here))
        equal(f"IsTruncated of page {pages} of {what}", page["IsTruncated"], bool(wanted))
        equal("MaxKeys", page["MaxKeys"], max_keys)
        if not wanted:
            assert "NextContinuationToken" not in page, f"a token on the last page of {what}"
            return pages
        parameters["ContinuationToken"] = page["NextContinuationToken"]


def fill():
    s3.create_bucket(Bucket=BUCKET)
    parts = ["a", "b", "ab", "a b", "é", "e\u0301", "z+", "%41", "0", "🦀", "x" * 40]
    keys = {"a", "a/", "a/b", "a//b", "a!", "a0", "/", "//", "trailing/", "new\nline/x", "soh\x01/x"}
    while len(keys) < min(max(args.files, 100), 600):
        keys.add("/".join(rng.choice(parts) + str(rng.randint(0, 30)) for _ in range(rng.randint(1, 4))))
    KEYS.extend(keys)
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    return f"{len(KEYS)} keys"


def whole_listing():
    compare("", "", "", 1000)
    compare("", "/", "", 1000)


def page_by_page():
    for max_keys in (1, 2, 7, 100):
        compare("a", "", "", max_keys)
        compare("", "/", "", max_keys)


def random_listings():
    """Random prefixes, delimiters and page sizes, while others write to another bucket."""
    s3.create_bucket(Bucket=ELSEWHERE)
    stop = threading.Event()

    def write(n):
        writer, count = boto3.session.Session().client("s3"), 0
        while not stop.is_set():
            writer.put_object(Bucket=ELSEWHERE, Key=f"{n}/{count % 20}", Body=b"x" * (count % 5000))
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, n) for n in range(2)]
        try:
            pages = compare_at_random()
        finally:
            stop.set()
        writes = sum(writer.result() for writer in writers)
    return f"{pages} pages beside {writes} writes"


def compare_at_random() -> int:
    pages = 0
    for _ in range(min(args.files // 5, 300)):
        key = rng.choice(KEYS)
        prefix = rng.choice(["", "", key[: rng.randint(0, len(key))], key + "/", "nothing here"])
        delimiter = rng.choice(["", "/", "/", "a", "b/", "é"])
        start_after = rng.choice(["", "", rng.choice(KEYS), rng.choice(KEYS)[:3]])
        pages += compare(prefix, delimiter, start_after, rng.choice([1, 3, 10, 50, 1000]))
    return pages


def max_keys_zero():
    page = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=0)
    equal("entries", page_entries(page), [])
    equal("KeyCount", page["KeyCount"], 0)
    equal("IsTruncated", page["IsTruncated"], False)


def more_than_a_thousand_is_a_thousand():
    page = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=5000)
    equal("MaxKeys", page["MaxKeys"], 1000)
    equal("KeyCount", page["KeyCount"], min(len(KEYS), 1000))


def echoes_the_request():
    page = s3.list_objects_v2(Bucket=BUCKET, Prefix="a", Delimiter="/", StartAfter="a/b", MaxKeys=2)
    got = {name: page.get(name) for name in ("Name", "Prefix", "Delimiter", "StartAfter", "MaxKeys")}
    want = {"Name": BUCKET, "Prefix": "a", "Delimiter": "/", "StartAfter": "a/b", "MaxKeys": 2}
    equal("echo", got, want)


def owner_only_when_asked():
    assert "Owner" not in s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1)["Contents"][0]
    owner = s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1, FetchOwner=True)["Contents"][0]["Owner"]
    assert owner["ID"], "an owner without an id"


def a_token_of_nobody_is_refused():
    try:
        s3.list_objects_v2(Bucket=BUCKET, ContinuationToken="not a token of this server")
    except ClientError as error:
        equal("code", error.response["Error"]["Code"], "InvalidArgument")
    else:
        raise AssertionError("a made-up continuation token was accepted")


def empty_bucket():
    for key in KEYS:
        s3.delete_object(Bucket=BUCKET, Key=key)
    KEYS.clear()
    compare("", "/", "", 1000)
    s3.delete_bucket(Bucket=BUCKET)


run(
    fill, whole_listing, page_by_page, random_listings, max_keys_zero, more_than_a_thousand_is_a_thousand,
    echoes_the_request, owner_only_when_asked, a_token_of_nobody_is_refused, empty_bucket,
)  # fmt: skip
