"""restic on a bucket with object lock: what a prune takes away is all there still, and comes back."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import corpus
from botocore.exceptions import ClientError
from command import runner
from session import arguments, equal, run

BUCKET = "restic-locked"
args = arguments()
s3 = boto3.client("s3")
first = corpus.paths(args.files, args.seed)
# A tenth of the files is gone, a tenth has another body, and a tenth is new.
second = [replace(f, seed=f.seed + 1) if n % 10 == 1 else f for n, f in enumerate(first) if n % 10]
second += [replace(f, name=f"new/{n}") for n, f in enumerate(first) if n % 10 == 2]
source = args.work / "source"
snapshots: list[str] = []
# What the bucket held before the prune: the digest of each version, and the current version of each key.
digests: dict[tuple[str, str], str] = {}
current: dict[str, str] = {}

restic = runner(
    os.environ["RESTIC"], "--no-cache", "--option", "s3.bucket-lookup=path",
    environment=os.environ | {
        "RESTIC_REPOSITORY": f"s3:{os.environ['AWS_ENDPOINT_URL']}/{BUCKET}",
        "RESTIC_PASSWORD": "of no importance",
    },
)  # fmt: skip


def versions() -> tuple[list[dict], list[dict]]:
    """All versions and all delete markers."""
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET))
    return tuple([entry for page in pages for entry in page.get(kind, [])] for kind in ("Versions", "DeleteMarkers"))


def digest(version: tuple[str, str]) -> str:
    key, id_ = version
    return hashlib.sha256(s3.get_object(Bucket=BUCKET, Key=key, VersionId=id_)["Body"].read()).hexdigest()


def digests_of(which) -> dict[tuple[str, str], str]:
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(which, pool.map(digest, which)))


def back_up(files: list[corpus.File]) -> str:
    for at, _, names in os.walk(source):
        for name in names:
            os.unlink(os.path.join(at, name))
    corpus.write_tree(files, source)
    lines = restic("backup", "--json", "--quiet", str(source)).splitlines()
    snapshots.append(json.loads(lines[-1])["snapshot_id"])


def restores(snapshot: int, files: list[corpus.File], name: str) -> None:
    target = args.work / name
    restic("restore", "--quiet", f"{snapshots[snapshot]}:{source}", "--target", str(target))
    corpus.compare_tree(files, target)


def repository():
    s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=rule)
    restic("init")


def backups():
    back_up(first)
    back_up(second)
    restic("check", "--read-data")
    restores(0, first, "first")
    restores(1, second, "second")
    return f"{len(first)} and {len(second)} files"


def remembered():
    entries, _ = versions()
    digests.update(digests_of([(v["Key"], v["VersionId"]) for v in entries]))
    current.update((v["Key"], v["VersionId"]) for v in entries if v["IsLatest"])
    return f"{len(digests)} versions, {len(current)} of them current"


def pruned():
    restic("forget", "--prune", "--max-unused", "0", "--keep-last", "1", "--group-by", "")
    left = json.loads(restic("snapshots", "--json"))
    equal("snapshots", [snapshot["id"] for snapshot in left], [snapshots[1]])
    restic("check", "--read-data")
    restores(1, second, "second after the prune")
    _, markers = versions()
    gone = {v["Key"] for v in markers if v["IsLatest"]} & current.keys()
    assert any(key.startswith("data/") for key in gone), "the prune removed no pack"
    return f"{len(gone)} keys deleted"


def nothing_locked_is_gone():
    equal("bodies", digests_of(list(digests)), digests)
    key, version = next((key, id_) for key, id_ in current.items() if key.startswith("data/"))
    try:
        s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
    except ClientError as error:
        equal("code", error.response["Error"]["Code"], "AccessDenied")
    else:
        raise AssertionError(f"{key} was destroyed under its retention")


def brought_back():
    """Every other key by removing its delete markers, the others by copying the old version over them."""
    _, markers = versions()
    above: dict[str, list[str]] = {}
    for marker in markers:
        above.setdefault(marker["Key"], []).append(marker["VersionId"])
    now = {v["Key"]: v["VersionId"] for v in versions()[0] if v["IsLatest"]}
    for key in now.keys() - current.keys():
        s3.delete_object(Bucket=BUCKET, Key=key)
    changed = sorted(key for key, version in current.items() if now.get(key) != version)
    for n, key in enumerate(changed):
        if n % 2:
            for marker in above[key]:
                s3.delete_object(Bucket=BUCKET, Key=key, VersionId=marker)
        else:
            s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": key, "VersionId": current[key]})
    then = {v["Key"]: (v["Key"], v["VersionId"]) for v in versions()[0] if v["IsLatest"]}
    equal("keys", sorted(then), sorted(current))
    bodies = digests_of(list(then.values()))
    equal("bodies", {key: bodies[version] for key, version in then.items()},
          {key: digests[key, version] for key, version in current.items()})  # fmt: skip
    return f"{len(changed)} keys"


def the_first_snapshot_is_back():
    restic("check", "--read-data")
    equal("snapshots", [s["id"] for s in json.loads(restic("snapshots", "--json"))], snapshots)
    restores(0, first, "first again")
    restores(1, second, "second again")


def remove():
    entries, markers = versions()
    everything = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in entries + markers]
    for at in range(0, len(everything), 1000):
        batch = {"Objects": everything[at : at + 1000]}
        answer = s3.delete_objects(Bucket=BUCKET, Delete=batch, BypassGovernanceRetention=True)
        equal("errors", answer.get("Errors", []), [])
    s3.delete_bucket(Bucket=BUCKET)


run(
    repository, backups, remembered, pruned, nothing_locked_is_gone, brought_back, the_first_snapshot_is_back, remove,
)  # fmt: skip
