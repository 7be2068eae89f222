"""pyarrow's own S3 file system (AWS SDK for C++): partitioned Parquet, and files."""

import random

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
from app import HOST, KEY, REGION, SECRET, keys, report, s3
from session import arguments, equal

BUCKET = "parquet"
ROWS = 400_000
args = arguments()
rng = random.Random(args.seed)
fs = pyarrow.fs.S3FileSystem(
    access_key=KEY, secret_key=SECRET, region=REGION, scheme="http", endpoint_override=HOST,
    allow_bucket_creation=True, allow_bucket_deletion=True,
)  # fmt: skip
table = pa.table({
    "id": pa.array(range(ROWS)),
    "day": pa.array([f"2026-11-{1 + n % 7:02}" for n in range(ROWS)]),
    "city": pa.array([rng.choice(["Zürich", "São Paulo", "Reykjavík", "東京"]) for _ in range(ROWS)]),
    "degrees": pa.array([rng.gauss(12, 8) for _ in range(ROWS)]),
    "noise": pa.array([rng.randbytes(24) for _ in range(ROWS)]),
})  # fmt: skip


def sorted_rows(read: pa.Table) -> pa.Table:
    return read.sort_by("id").combine_chunks()


def written():
    fs.create_dir(BUCKET)
    ds.write_dataset(
        table, f"{BUCKET}/weather", filesystem=fs, format="parquet", partitioning=["day", "city"],
        partitioning_flavor="hive", max_rows_per_group=8192, existing_data_behavior="delete_matching",
    )  # fmt: skip
    found = keys(BUCKET, "weather/")
    files = [key for key in found if key.endswith(".parquet")]
    equal("partitions", len(files), 28)
    return f"{ROWS} rows in {len(files)} partitions, {sum(found.values()) >> 20} MiB"


def weather() -> ds.Dataset:
    return ds.dataset(f"{BUCKET}/weather", filesystem=fs, format="parquet", partitioning="hive")


def all_of_it():
    # The partition columns come last, and as what their names look like: text.
    got = sorted_rows(weather().to_table(columns=table.column_names))
    assert got.cast(table.schema).equals(table), "other rows came back"


def filtered():
    wanted = (pc.field("day") == "2026-11-03") & (pc.field("degrees") > 20)
    got = weather().to_table(columns=["id", "degrees"], filter=wanted)
    want = table.filter(wanted).select(["id", "degrees"])
    assert want.num_rows > 1000, "the filter must find something"
    assert sorted_rows(got).equals(sorted_rows(want)), "other rows by filter"
    return f"{want.num_rows} of them by filter and two columns, by ranges"


def as_files():
    body = rng.randbytes(23 << 20)
    path = f"{BUCKET}/files/large ü+%.bin"
    with fs.open_output_stream(path, metadata={"Content-Type": "application/x-noise"}) as stream:
        for at in range(0, len(body), 1 << 20):
            stream.write(body[at : at + (1 << 20)])
    with fs.open_input_file(path) as file:
        equal("size", file.size(), len(body))
        for _ in range(50):
            at, length = rng.randrange(len(body)), rng.randrange(200_000)
            assert file.read_at(length, at) == body[at : at + length], f"other bytes at {at}"
    kind = s3.head_object(Bucket=BUCKET, Key=path.removeprefix(f"{BUCKET}/"))["ContentType"]
    equal("content type", kind, "application/x-noise")
    fs.move(path, f"{BUCKET}/files/moved/there")
    fs.copy_file(f"{BUCKET}/files/moved/there", f"{BUCKET}/files/copied")
    with fs.open_input_stream(f"{BUCKET}/files/copied") as stream:
        assert stream.read() == body, "the copy differs"
    found = fs.get_file_info(pyarrow.fs.FileSelector(f"{BUCKET}/files", recursive=True))
    want = [f"{BUCKET}/files/copied", f"{BUCKET}/files/moved/there"]
    equal("files", sorted(f.path for f in found if f.is_file), want)
    return "a stream of 23 MiB in parts, read at random places, moved and copied"


def removed():
    fs.delete_dir_contents(BUCKET)
    equal("left over", keys(BUCKET), {})
    uploads = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    equal("uploads", uploads, [])
    fs.delete_dir(BUCKET)


report("pyarrow", pa.__version__, written, all_of_it, filtered, as_files, removed)
