"""Delta Lake (object_store in Rust): commits are objects that only one writer may create."""

import threading

import deltalake
import pandas as pd
import pyarrow as pa
from app import ENDPOINT, KEY, REGION, SECRET, keys, report, s3
from deltalake import DeltaTable, write_deltalake
from session import arguments, equal

BUCKET = "delta"
TABLE = f"s3://{BUCKET}/tables/events"
WRITERS, COMMITS = 8, 6
args = arguments()
options = {
    "AWS_ENDPOINT_URL": ENDPOINT, "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION,
    "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "conditional_put": "etag",
}  # fmt: skip


def rows(writer: int, count: int = 100) -> pa.Table:
    return pa.table({"writer": pa.array([writer] * count), "n": pa.array(range(count))})


def table() -> DeltaTable:
    return DeltaTable(TABLE, storage_options=options)


def created():
    s3.create_bucket(Bucket=BUCKET)
    write_deltalake(TABLE, rows(0), storage_options=options, partition_by=["writer"])
    equal("version", table().version(), 0)


def writers_at_once():
    """All append at once: each commit has a number of its own, and no row is lost or doubled."""
    failures: list[str] = []

    def append(writer: int) -> None:
        for _ in range(COMMITS):
            try:
                write_deltalake(TABLE, rows(writer), mode="append", storage_options=options,
                                commit_properties=deltalake.CommitProperties(max_commit_retries=100))  # fmt: skip
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=append, args=(writer,)) for writer in range(1, WRITERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal("failures", failures, [])
    equal("version", table().version(), WRITERS * COMMITS)
    log = [key for key in keys(BUCKET, "tables/events/_delta_log/") if key.endswith(".json")]
    equal("commits", len(log), WRITERS * COMMITS + 1)
    counts = table().to_pandas()["writer"].value_counts().to_dict()
    equal("rows", counts, {0: 100} | {writer: 100 * COMMITS for writer in range(1, WRITERS + 1)})
    return f"{WRITERS} writers, {WRITERS * COMMITS} commits by conditional put, none lost"


def changed():
    before = table().version()
    table().delete("writer = 3")
    table().update(predicate="writer = 4 AND n < 10", updates={"n": "-1"})
    found = table().to_pandas()
    equal("deleted", int((found["writer"] == 3).sum()), 0)
    equal("updated", int((found["n"] == -1).sum()), 10 * COMMITS)
    past = DeltaTable(TABLE, version=before, storage_options=options).to_pandas()
    equal("the past", int((past["writer"] == 3).sum()), 100 * COMMITS)
    (table().merge(rows(3, 50), predicate="t.writer = s.writer AND t.n = s.n", source_alias="s", target_alias="t")
     .when_not_matched_insert_all().execute())  # fmt: skip
    equal("merged", int((table().to_pandas()["writer"] == 3).sum()), 50)
    return "delete, update, merge, an old version"


def compacted():
    def all_rows() -> pd.DataFrame:
        return table().to_pandas().sort_values(["writer", "n"]).reset_index(drop=True)

    before, objects = all_rows(), len(keys(BUCKET))
    table().optimize.compact()
    table().create_checkpoint()
    gone = table().vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert gone and len(keys(BUCKET)) < objects, "the vacuum removed nothing"
    pd.testing.assert_frame_equal(all_rows(), before)
    return f"compacted, {len(gone)} files vacuumed"


report("deltalake", deltalake.__version__, created, writers_at_once, changed, compacted)
