"""restic: two backups of a tree that changed, one thinned out, each restored and compared."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import corpus
from app import ENDPOINT, keys, report, s3, version
from command import runner
from session import arguments, equal

BUCKET = "restic-backups"
args = arguments()
first = corpus.paths(args.files, args.seed)
# A tenth of the files is gone, a tenth has another body, and a tenth is new.
second = [replace(f, seed=f.seed + 1) if n % 10 == 1 else f for n, f in enumerate(first) if n % 10]
second += [replace(f, name=f"new/{n}") for n, f in enumerate(first) if n % 10 == 2]
trees = {"first": first, "second": second}
snapshots: dict[str, str] = {}

restic = runner(
    os.environ["RESTIC"], "--cache-dir", str(args.work / "cache"), "--option", "s3.bucket-lookup=path",
    environment=os.environ | {
        "RESTIC_REPOSITORY": f"s3:{ENDPOINT}/{BUCKET}/nested/repository",
        "RESTIC_PASSWORD": "of no importance",
    },
)  # fmt: skip


def restores(name: str) -> None:
    target = args.work / f"restored {name} {len(keys(BUCKET))}"
    restic("restore", "--quiet", f"{snapshots[name]}:{args.work / name}", "--target", str(target))
    corpus.compare_tree(trees[name], target)


def backed_up():
    s3.create_bucket(Bucket=BUCKET)
    restic("init")
    for name, files in trees.items():
        corpus.write_tree(files, args.work / name)
        lines = restic("backup", "--json", "--quiet", str(args.work / name)).splitlines()
        snapshots[name] = json.loads(lines[-1])["snapshot_id"]
    return f"backups of {len(first)} and {len(second)} files"


def restored():
    restic("check", "--read-data")
    for name in trees:
        restores(name)
    return "checked and restored"


def writers_at_once():
    """Locks are objects too: four backups share the repository, a prune waits for none of them and is refused."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: restic("backup", "--quiet", "--tag", f"t{n}", str(args.work / "second")), range(4)))
    equal("tagged", len([s for s in json.loads(restic("snapshots", "--json")) if s.get("tags")]), 4)
    restic("forget", *(part for n in range(4) for part in ("--tag", f"t{n}")), "--keep-last", "1", "--group-by", "")
    return "four at once"


def pruned():
    before = sum(keys(BUCKET).values())
    restic("forget", "--prune", "--max-unused", "0", snapshots["first"])
    assert sum(keys(BUCKET).values()) < before, "the prune gave no space back"
    restic("check", "--read-data")
    restores("second")
    equal("locks", keys(BUCKET, "nested/repository/locks/"), {})
    return "pruned, checked and restored again"


report("restic", version("RESTIC"), backed_up, restored, writers_at_once, pruned)
