"""Polars (object_store in Rust): Parquet in partitions, written and read with predicates pushed down."""

import random

import polars as pl
from app import ENDPOINT, KEY, REGION, SECRET, keys, report, s3
from session import arguments, equal

BUCKET = "polars"
ROWS = 300_000
args = arguments()
rng = random.Random(args.seed)
options = {"aws_endpoint_url": ENDPOINT, "aws_allow_http": "true", "aws_region": REGION,
           "aws_access_key_id": KEY, "aws_secret_access_key": SECRET}  # fmt: skip
frame = pl.DataFrame({
    "id": range(ROWS),
    "kind": [rng.choice(["a b", "c+d", "é", "東京"]) for _ in range(ROWS)],
    "value": [rng.gauss(0, 1) for _ in range(ROWS)],
    "noise": [rng.randbytes(32) for _ in range(ROWS)],
})  # fmt: skip


def one_file():
    s3.create_bucket(Bucket=BUCKET)
    frame.lazy().sink_parquet(f"s3://{BUCKET}/one.parquet", storage_options=options, row_group_size=20_000)
    size = keys(BUCKET)["one.parquet"]
    back = pl.read_parquet(f"s3://{BUCKET}/one.parquet", storage_options=options)
    assert back.equals(frame), "other rows came back"
    return f"{ROWS} rows to one file of {size >> 20} MiB and back"


def partitions():
    frame.lazy().sink_parquet(
        pl.PartitionBy(f"s3://{BUCKET}/by-kind/", key="kind"), storage_options=options, mkdir=True
    )
    lazy = pl.scan_parquet(f"s3://{BUCKET}/by-kind/**/*.parquet", hive_partitioning=True, storage_options=options)
    got = lazy.filter((pl.col("kind") == "c+d") & (pl.col("value") > 1)).select("id", "value").collect().sort("id")
    want = frame.filter((pl.col("kind") == "c+d") & (pl.col("value") > 1)).select("id", "value").sort("id")
    assert want.height > 1000 and got.equals(want), "other rows by predicate"
    counts = lazy.group_by("kind").agg(pl.len(), pl.col("id").sum()).collect()
    equal("by kind", sorted(counts.rows()), sorted(frame.group_by("kind").agg(pl.len(), pl.col("id").sum()).rows()))
    return "partitions read with a predicate and an aggregate"


def other_formats():
    some = frame.select("id", "kind", "value").head(50_000)
    some.lazy().sink_csv(f"s3://{BUCKET}/some.csv", storage_options=options)
    assert pl.scan_csv(f"s3://{BUCKET}/some.csv", storage_options=options).collect().equals(some), "CSV differs"
    some.lazy().sink_ipc(f"s3://{BUCKET}/some.arrow", storage_options=options)
    assert pl.scan_ipc(f"s3://{BUCKET}/some.arrow", storage_options=options).collect().equals(some), "IPC differs"
    return "CSV and Arrow IPC"


report("Polars", pl.__version__, one_file, partitions, other_formats)
