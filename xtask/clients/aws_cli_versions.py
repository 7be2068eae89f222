"""AWS CLI: versions in pages, undelete, object lock and tags, against a model, and every error's text."""

import json
import random
from datetime import UTC, datetime, timedelta

from command import aws
from session import arguments, equal, run

BUCKET, LOCKED, PLAIN = "aws-cli-versions", "aws-cli-locked", "aws-cli-plain"
args = arguments()
rng = random.Random(args.seed)
KEYS = ["plain", "a/1", "a/2", "b/ü 🦀+%", "b/c/d"]
# The versions of each key, the oldest first: id, and body (None for a delete marker).
model: dict[str, list[tuple[str, bytes | None]]] = {key: [] for key in KEYS}
command = aws()
target = args.work / "body"


def api(operation: str, *more: str, bucket: str = BUCKET):
    """The parsed answer; None where the operation has none."""
    answer = command("s3api", operation, "--bucket", bucket, *more, "--output", "json")
    return json.loads(answer) if answer.strip() else None


def fails(code: str, call: str, message: str, operation: str, *more: str, bucket: str = BUCKET):
    text = command("s3api", operation, "--bucket", bucket, *more, ok=False).strip()
    # The CLI adds its own prefix and, for some errors, more lines about the request.
    want = f"An error occurred ({code}) when calling the {call} operation: {message}"
    assert text.removeprefix("aws: [ERROR]: ").startswith(want), f"got {text!r}, want {want!r}"


def put(key: str, body: bytes, *more: str, bucket: str = BUCKET) -> str:
    source = args.work / "source"
    source.write_bytes(body)
    return api("put-object", "--key", key, "--body", str(source), *more, bucket=bucket)["VersionId"]


def versioned():
    for bucket in (BUCKET, PLAIN):
        api("create-bucket", bucket=bucket)
    equal("at first", api("get-bucket-versioning"), None)
    api("put-bucket-versioning", "--versioning-configuration", "Status=Enabled")
    equal("status", api("get-bucket-versioning"), {"Status": "Enabled"})


def history():
    for n in range(24):
        key = KEYS[n] if n < len(KEYS) else rng.choice(KEYS)
        if n >= len(KEYS) and rng.random() < 0.3:
            answer = api("delete-object", "--key", key)
            equal("marker", answer["DeleteMarker"], True)
            model[key].append((answer["VersionId"], None))
        else:
            body = f"{n} {key}".encode()
            model[key].append((put(key, body), body))


def expected(prefix: str, delimiter: str):
    """Versions and delete markers as (key, id, latest), and common prefixes."""
    entries: dict[bool, list] = {False: [], True: []}
    prefixes = set()
    for key in sorted((key for key in model if key.startswith(prefix)), key=str.encode):
        if delimiter and delimiter in key[len(prefix) :]:
            if model[key]:
                prefixes.add(key[: key.index(delimiter, len(prefix)) + 1])
            continue
        for n, (version, body) in reversed(list(enumerate(model[key]))):
            entries[body is None].append((key, version, n == len(model[key]) - 1))
    return entries[False], entries[True], sorted(prefixes)


def listed(*more: str):
    """All that the CLI gives, resumed with its own token as long as there is one."""
    found = {"Versions": [], "DeleteMarkers": [], "CommonPrefixes": []}
    token, calls = [], 0
    while True:
        page = api("list-object-versions", *more, *token) or {}
        calls += 1
        for kind, entries in found.items():
            entries += page.get(kind) or []
        if "NextToken" not in page:
            break
        token = ["--starting-token", page["NextToken"]]
    versions, markers = (
        [(v["Key"], v["VersionId"], v["IsLatest"]) for v in found[kind]] for kind in ("Versions", "DeleteMarkers")
    )
    return (versions, markers, [p["Prefix"] for p in found["CommonPrefixes"]]), calls


def listings():
    for page_size, max_items in ((1, 1000), (3, 5)):
        for prefix, delimiter in (("", ""), ("", "/"), ("b/", "/"), ("a/", "")):
            more = ["--page-size", str(page_size), "--max-items", str(max_items)]
            more += ["--prefix", prefix] if prefix else []
            more += ["--delimiter", delimiter] if delimiter else []
            got, calls = listed(*more)
            want = expected(prefix, delimiter)
            if max_items < 1000:
                # --max-items counts versions alone, and what else is on the page that a call resumes at is dropped.
                equal(f"versions with {more}", got[0], want[0])
                assert all(set(some) <= set(all_) for some, all_ in zip(got, want)), f"{got} with {more}, not {want}"
                assert calls > 1 or len(want[0]) <= max_items, f"{more} took one call for {len(want[0])} versions"
            else:
                equal(f"listing with {more}", got, want)


def every_version_is_read():
    for key, versions in model.items():
        for version, body in versions:
            where = ("--key", key, "--version-id", version)
            if body is None:
                message = "The specified method is not allowed against this resource."
                fails("MethodNotAllowed", "GetObject", message, "get-object", *where, str(target))
            else:
                equal("version", api("get-object", *where, str(target))["VersionId"], version)
                equal("body", target.read_bytes(), body)


def undeleted():
    """Removing the marker brings back what was there before."""
    for key, versions in model.items():
        if versions[-1][1] is not None:
            versions.append((api("delete-object", "--key", key)["VersionId"], None))
        fails("NoSuchKey", "GetObject", "The specified key does not exist.", "get-object", "--key", key, str(target))
        while versions[-1][1] is None:
            marker = versions.pop()[0]
            answer = api("delete-object", "--key", key, "--version-id", marker)
            equal("removed", answer, {"DeleteMarker": True, "VersionId": marker})
        answer = api("get-object", "--key", key, str(target))
        equal("current", (answer["VersionId"], target.read_bytes()), versions[-1])
    equal("listing", listed()[0], expected("", ""))


def tags():
    where = ("--key", "plain")
    old, new = model["plain"][0][0], put("plain", b"tagged")
    model["plain"].append((new, b"tagged"))
    one = [{"Key": "a b", "Value": "1+ü"}]
    answer = api("put-object-tagging", *where, "--version-id", old, "--tagging", json.dumps({"TagSet": one}))
    equal("tagged", answer, {"VersionId": old})
    equal("of the old", api("get-object-tagging", *where, "--version-id", old), {"VersionId": old, "TagSet": one})
    equal("of the new", api("get-object-tagging", *where), {"VersionId": new, "TagSet": []})
    api("put-object-tagging", *where, "--tagging", "TagSet=[{Key=x,Value=y},{Key=z,Value=two words}]")
    two = [{"Key": "x", "Value": "y"}, {"Key": "z", "Value": "two words"}]
    equal("two", api("get-object-tagging", *where)["TagSet"], two)
    equal("count", api("head-object", *where)["TagCount"], 2)
    api("delete-object-tagging", *where)
    equal("none", api("get-object-tagging", *where)["TagSet"], [])
    twice = '{"TagSet":[{"Key":"k","Value":"1"},{"Key":"k","Value":"2"}]}'
    message = "Cannot provide multiple Tags with the same key"
    fails("InvalidTag", "PutObjectTagging", message, "put-object-tagging", *where, "--tagging", twice)


def locked():
    api("create-bucket", "--object-lock-enabled-for-bucket", bucket=LOCKED)
    equal("versioned by it", api("get-bucket-versioning", bucket=LOCKED), {"Status": "Enabled"})
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 2}}}
    api("put-object-lock-configuration", "--object-lock-configuration", json.dumps(rule), bucket=LOCKED)
    equal("rule", api("get-object-lock-configuration", bucket=LOCKED), {"ObjectLockConfiguration": rule})
    begun = datetime.now(UTC)
    version = put("k", b"kept", bucket=LOCKED)
    at = ("--key", "k", "--version-id", version)
    retention = api("get-object-retention", *at, bucket=LOCKED)["Retention"]
    until = datetime.fromisoformat(retention["RetainUntilDate"])
    equal("mode", retention["Mode"], "GOVERNANCE")
    assert timedelta(days=2, minutes=-1) < until - begun < timedelta(days=2, minutes=1), f"{until} from {begun}"
    denied = "Access Denied because object protected by object lock."
    fails("AccessDenied", "DeleteObject", denied, "delete-object", *at, bucket=LOCKED)

    later = (begun + timedelta(days=9)).replace(microsecond=0).isoformat()
    set_later = ("--retention", f"Mode=GOVERNANCE,RetainUntilDate={later}")
    api("put-object-retention", *at, *set_later, bucket=LOCKED)
    got = api("get-object-retention", *at, bucket=LOCKED)["Retention"]["RetainUntilDate"]
    equal("extended", datetime.fromisoformat(got), datetime.fromisoformat(later))
    sooner = (begun + timedelta(days=1)).replace(microsecond=0).isoformat()
    set_sooner = ("--retention", f"Mode=GOVERNANCE,RetainUntilDate={sooner}")
    fails("AccessDenied", "PutObjectRetention", denied, "put-object-retention", *at, *set_sooner, bucket=LOCKED)
    api("put-object-retention", *at, *set_sooner, "--bypass-governance-retention", bucket=LOCKED)

    api("put-object-legal-hold", *at, "--legal-hold", "Status=ON", bucket=LOCKED)
    equal("hold", api("get-object-legal-hold", *at, bucket=LOCKED), {"LegalHold": {"Status": "ON"}})
    head = api("head-object", "--key", "k", bucket=LOCKED)
    equal("head", (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]), ("GOVERNANCE", "ON"))
    bypass = ("--bypass-governance-retention",)
    fails("AccessDenied", "DeleteObject", denied, "delete-object", *at, *bypass, bucket=LOCKED)
    api("put-object-legal-hold", *at, "--legal-hold", "Status=OFF", bucket=LOCKED)
    marker = api("delete-object", "--key", "k", bucket=LOCKED)["VersionId"]
    api("get-object", *at, str(target), bucket=LOCKED)
    equal("under the marker", target.read_bytes(), b"kept")
    api("delete-object", "--key", "k", "--version-id", marker, bucket=LOCKED)
    api("delete-object", *at, *bypass, bucket=LOCKED)
    equal("left over", api("list-object-versions", bucket=LOCKED).get("Versions"), None)
    api("delete-bucket", bucket=LOCKED)


def error_texts():
    absent = "0" * 32
    where = ("--key", "plain")
    gone, no_key = "The specified version does not exist.", "The specified key does not exist."
    fails("NoSuchVersion", "GetObject", gone, "get-object", *where, "--version-id", absent, str(target))
    fails("NoSuchKey", "GetObject", no_key, "get-object", "--key", "absent", str(target))
    fails("404", "HeadObject", "Not Found", "head-object", "--key", "absent")
    no_bucket = "The specified bucket does not exist"
    fails("NoSuchBucket", "ListObjectVersions", no_bucket, "list-object-versions", bucket="no-such-bucket")
    bad = "Invalid version id specified"
    fails("InvalidArgument", "GetObject", bad, "get-object", *where, "--version-id", "bad", str(target))
    no_rule = "Object Lock configuration does not exist for this bucket"
    code = "ObjectLockConfigurationNotFoundError"
    fails(code, "GetObjectLockConfiguration", no_rule, "get-object-lock-configuration", bucket=PLAIN)
    missing = "Bucket is missing Object Lock Configuration"
    fails("InvalidRequest", "GetObjectRetention", missing, "get-object-retention", *where)
    hold = ("--legal-hold", "Status=ON")
    fails("InvalidRequest", "PutObjectLegalHold", missing, "put-object-legal-hold", *where, *hold)
    full = "The bucket you tried to delete is not empty"
    fails("BucketNotEmpty", "DeleteBucket", full, "delete-bucket")


def remove():
    for key, versions in model.items():
        objects = json.dumps({"Objects": [{"Key": key, "VersionId": version} for version, _ in versions]})
        answer = api("delete-objects", "--delete", objects)
        equal("errors", answer.get("Errors"), None)
        equal("deleted", len(answer["Deleted"]), len(versions))
    for bucket in (BUCKET, PLAIN):
        api("delete-bucket", bucket=bucket)


run(versioned, history, listings, every_version_is_read, undeleted, tags, locked, error_texts, remove)
