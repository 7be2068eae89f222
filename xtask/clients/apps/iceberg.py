"""Iceberg (PyIceberg): a table with its metadata in a bucket; evolution, deletes, time travel, purge."""

import warnings

import pyarrow as pa
import pyiceberg
from app import ENDPOINT, KEY, REGION, SECRET, keys, report, s3
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo, GreaterThan
from pyiceberg.transforms import IdentityTransform
from session import arguments, equal

BUCKET = "iceberg"
args = arguments()
warnings.simplefilter("ignore")
catalog = SqlCatalog("carob", **{
    "uri": f"sqlite:///{args.work}/catalog.db", "warehouse": f"s3://{BUCKET}/warehouse", "s3.endpoint": ENDPOINT,
    "s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.region": REGION,
})  # fmt: skip
rows = pa.table({"kind": ["a", "b b", "ü+"] * 1000, "n": pa.array(range(3000), pa.int64())})


def count(**how) -> int:
    return catalog.load_table("one.events").scan(**how).to_arrow().num_rows


def written():
    s3.create_bucket(Bucket=BUCKET)
    catalog.create_namespace("one")
    table = catalog.create_table("one.events", schema=rows.schema)
    with table.update_spec() as spec:
        spec.add_field("kind", IdentityTransform(), "kind")
    table.append(rows)
    table.append(rows)
    got = catalog.load_table("one.events").scan().to_arrow().sort_by([("n", "ascending")])
    equal("rows", got["n"].to_pylist(), sorted(rows["n"].to_pylist() * 2))
    equal("of one kind", count(row_filter=EqualTo("kind", "ü+") & GreaterThan("n", 1500)), 1000)
    return f"{got.num_rows} rows in {len(keys(BUCKET))} objects"


def changed():
    table = catalog.load_table("one.events")
    before = table.current_snapshot().snapshot_id
    table.delete(EqualTo("kind", "b b"))
    with table.update_schema() as schema:
        schema.rename_column("n", "number")
    equal("left", count(), 4000)
    equal("as it was", count(snapshot_id=before), 6000)
    table = catalog.load_table("one.events")
    table.overwrite(rows.rename_columns(["kind", "number"]))
    equal("overwritten", count(), 3000)
    return "delete, evolution, time travel, overwrite"


def removed():
    catalog.purge_table("one.events")
    left = [key for key in keys(BUCKET) if key.endswith(".parquet")]
    equal("data left over", left, [])
    return "purged"


report("PyIceberg", pyiceberg.__version__, written, changed, removed)
