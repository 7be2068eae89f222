"""boto3: versions against a list of them for each key, object lock, and tags."""

import datetime
import random

import boto3
from session import arguments, equal, refused, run

BUCKET, LOCKED = "boto3-versions", "boto3-locked"
args = arguments()
s3 = boto3.client("s3")
rng = random.Random(args.seed)
KEYS = ["plain", "a/1", "a/2", "ü/🦀", "sp ace+%", "zero"]
# The versions of each key, the oldest first: id, and body (None for a delete marker).
model: dict[str, list[tuple[str, bytes | None]]] = {}


def put(key: str, body: bytes) -> str:
    version = s3.put_object(Bucket=BUCKET, Key=key, Body=body)["VersionId"]
    model.setdefault(key, []).append((version, body))
    return version


def delete(key: str) -> None:
    answer = s3.delete_object(Bucket=BUCKET, Key=key)
    equal("delete marker", answer["DeleteMarker"], True)
    model.setdefault(key, []).append((answer["VersionId"], None))


def delete_version(key: str) -> None:
    version, body = model[key].pop(rng.randrange(len(model[key])))
    answer = s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
    equal("deleted", (answer["VersionId"], answer.get("DeleteMarker", False)), (version, body is None))


def enabled():
    s3.create_bucket(Bucket=BUCKET)
    equal("at first", "Status" in s3.get_bucket_versioning(Bucket=BUCKET), False)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    equal("status", s3.get_bucket_versioning(Bucket=BUCKET)["Status"], "Enabled")


def history():
    for n in range(max(60, min(args.files, 1000))):
        key = rng.choice(KEYS)
        choice = rng.random() if model.get(key) else 0
        if choice < 0.55:
            put(key, f"{n} {key}".encode())
        elif choice < 0.75:
            delete(key)
        else:
            delete_version(key)
    return f"{sum(map(len, model.values()))} versions"


def every_version_is_read():
    for key, versions in model.items():
        for version, body in versions:
            where = {"Bucket": BUCKET, "Key": key, "VersionId": version}
            if body is None:
                refused("MethodNotAllowed", 405, s3.get_object, **where)
            else:
                equal("body", s3.get_object(**where)["Body"].read(), body)
        if versions and versions[-1][1] is not None:
            answer = s3.get_object(Bucket=BUCKET, Key=key)
            equal("current", (answer["VersionId"], answer["Body"].read()), versions[-1])
        else:
            refused("NoSuchKey", 404, s3.get_object, Bucket=BUCKET, Key=key)


def listed(size: int, **more) -> list[tuple[str, str, bool, bool]]:
    """Key, version, whether a marker, whether the latest; each kind in the order of the pages."""
    found: dict[bool, list] = {False: [], True: []}
    paginator = s3.get_paginator("list_object_versions")
    for page in paginator.paginate(Bucket=BUCKET, PaginationConfig={"PageSize": size}, **more):
        entries = len(page.get("Versions", [])) + len(page.get("DeleteMarkers", [])) + len(page.get("CommonPrefixes", []))
        assert entries <= size, f"{entries} entries in a page of {size}"
        for kind, name in ((False, "Versions"), (True, "DeleteMarkers")):
            found[kind] += [(v["Key"], v["VersionId"], kind, v["IsLatest"]) for v in page.get(name, [])]
    return found[False] + found[True]


def expected(prefix: str = "") -> list[tuple[str, str, bool, bool]]:
    keys = sorted((key for key in model if key.startswith(prefix)), key=str.encode)
    entries = [
        (key, version, body is None, n == len(model[key]) - 1)
        for key in keys
        for n, (version, body) in reversed(list(enumerate(model[key])))
    ]
    return [e for e in entries if not e[2]] + [e for e in entries if e[2]]


def listings():
    for size in (1, 3, 7, 1000):
        equal(f"pages of {size}", listed(size), expected())
        equal(f"a/ in pages of {size}", listed(size, Prefix="a/"), expected("a/"))
    page = s3.list_object_versions(Bucket=BUCKET, Delimiter="/")
    prefixes = sorted({key.split("/")[0] + "/" for key, versions in model.items() if "/" in key and versions})
    equal("prefixes", [p["Prefix"] for p in page.get("CommonPrefixes", [])], prefixes)


def an_old_version_is_restored():
    first = put("restored", b"first")
    put("restored", b"second")
    source = {"Bucket": BUCKET, "Key": "restored", "VersionId": first}
    answer = s3.copy_object(Bucket=BUCKET, Key="restored", CopySource=source)
    equal("source", answer["CopySourceVersionId"], first)
    model["restored"].append((answer["VersionId"], b"first"))
    every_version_is_read()


def suspended():
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    kept = model["restored"][-1]
    for body in (b"null 1", b"null 2"):
        assert "VersionId" not in s3.put_object(Bucket=BUCKET, Key="restored", Body=body)
    equal("null", s3.get_object(Bucket=BUCKET, Key="restored", VersionId="null")["Body"].read(), b"null 2")
    model["restored"].append(("null", b"null 2"))
    equal("pages of 2", listed(2), expected())
    answer = s3.delete_object(Bucket=BUCKET, Key="restored")
    equal("marker", (answer["VersionId"], answer["DeleteMarker"]), ("null", True))
    model["restored"][-1] = ("null", None)
    equal("pages of 3", listed(3), expected())
    equal("kept", s3.get_object(Bucket=BUCKET, Key="restored", VersionId=kept[0])["Body"].read(), kept[1])
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


def tags():
    version = put("tagged", b"x")
    where = {"Bucket": BUCKET, "Key": "tagged"}
    one = [{"Key": "a b", "Value": "1+"}]
    s3.put_object_tagging(**where, Tagging={"TagSet": one})
    equal("tags", s3.get_object_tagging(**where, VersionId=version)["TagSet"], one)
    equal("count", s3.head_object(**where)["TagCount"], 1)
    answer = s3.put_object(**where, Body=b"y", Tagging="c=d")
    model["tagged"].append((answer["VersionId"], b"y"))
    equal("of the new", s3.get_object_tagging(**where)["TagSet"], [{"Key": "c", "Value": "d"}])
    equal("of the old", s3.get_object_tagging(**where, VersionId=version)["TagSet"], one)
    many = [{"Key": str(n), "Value": ""} for n in range(11)]
    refused("InvalidTag", 400, s3.put_object_tagging, **where, Tagging={"TagSet": many})
    s3.delete_object_tagging(**where)
    equal("deleted", s3.get_object_tagging(**where)["TagSet"], [])
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": one})
    equal("bucket", s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"], one)


def locked():
    s3.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    where = {"Bucket": LOCKED, "Key": "k"}
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    later = now + datetime.timedelta(hours=1)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later}
    version = s3.put_object(**where, Body=b"x", **lock)["VersionId"]
    at = where | {"VersionId": version}
    equal("retention", s3.get_object_retention(**at)["Retention"], {"Mode": "GOVERNANCE", "RetainUntilDate": later})
    refused("AccessDenied", 403, s3.delete_object, **at)
    s3.delete_object(**where)
    equal("under a marker", s3.get_object(**at)["Body"].read(), b"x")
    s3.put_object_legal_hold(**at, LegalHold={"Status": "ON"})
    refused("AccessDenied", 403, s3.delete_object, **at, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(**at, LegalHold={"Status": "OFF"})
    refused("InvalidBucketState", 409, s3.put_bucket_versioning, Bucket=LOCKED,
            VersioningConfiguration={"Status": "Suspended"})
    s3.delete_object(**at, BypassGovernanceRetention=True)
    short = now + datetime.timedelta(days=2)
    kept = s3.put_object(**where, Body=b"y", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=short)
    at = where | {"VersionId": kept["VersionId"]}
    refused("AccessDenied", 403, s3.delete_object, **at, BypassGovernanceRetention=True)
    sooner = {"Mode": "COMPLIANCE", "RetainUntilDate": later}
    refused("AccessDenied", 403, s3.put_object_retention, **at, Retention=sooner, BypassGovernanceRetention=True)
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket=LOCKED)


def remove():
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket=BUCKET)
    everything = [{"Key": key, "VersionId": version} for key, version, *_ in expected()]
    for at in range(0, len(everything), 1000):
        answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": everything[at : at + 1000]})
        equal("errors", answer.get("Errors", []), [])
    s3.delete_bucket(Bucket=BUCKET)


run(enabled, history, every_version_is_read, listings, an_old_version_is_restored, suspended, tags, locked, remove)
