"""pandas over s3fs (aiobotocore): tables, and what fsspec makes of a bucket as a file system."""

import random

import numpy as np
import pandas as pd
import s3fs
from app import http, keys, report, s3
from session import arguments, equal

BUCKET = "pandas"
MIB = 1 << 20
args = arguments()
rng = random.Random(args.seed)
fs = s3fs.S3FileSystem()
ROWS = 50_000
frame = pd.DataFrame({
    "id": np.arange(ROWS),
    "name": [f"n{rng.randrange(999)} ü,\"'" for _ in range(ROWS)],
    "value": [rng.gauss(0, 1) for _ in range(ROWS)],
    "when": pd.date_range("2026-01-01", periods=ROWS, freq="min"),
})  # fmt: skip


def tables():
    fs.mkdir(BUCKET)
    frame.to_csv(f"s3://{BUCKET}/t/one.csv", index=False)
    frame.to_csv(f"s3://{BUCKET}/t/one.csv.gz", index=False)
    for name in ("one.csv", "one.csv.gz"):
        found = pd.read_csv(f"s3://{BUCKET}/t/{name}", parse_dates=["when"])
        pd.testing.assert_frame_equal(found, frame, check_dtype=False)
    frame.to_parquet(f"s3://{BUCKET}/t/one.parquet", engine="pyarrow", storage_options={"anon": False})
    columns = pd.read_parquet(f"s3://{BUCKET}/t/one.parquet", columns=["id", "value"], storage_options={"anon": False})
    pd.testing.assert_frame_equal(columns, frame[["id", "value"]])
    chunks = pd.concat(pd.read_csv(f"s3://{BUCKET}/t/one.csv", chunksize=7000, usecols=["id"]))
    equal("ids in chunks", int(chunks["id"].sum()), int(frame["id"].sum()))
    return f"{ROWS} rows as CSV, gzip and Parquet"


def multipart_and_ranges():
    body = rng.randbytes(23 * MIB)
    with fs.open(f"{BUCKET}/large.bin", "wb", block_size=5 * MIB) as file:
        for at in range(0, len(body), MIB):
            file.write(body[at : at + MIB])
    equal("size", fs.info(f"{BUCKET}/large.bin")["size"], len(body))
    assert fs.info(f"{BUCKET}/large.bin")["ETag"].endswith('-5"'), "not an upload in parts"
    with fs.open(f"{BUCKET}/large.bin", "rb", block_size=64 << 10, cache_type="readahead") as file:
        for _ in range(50):
            at, length = rng.randrange(len(body)), rng.randrange(300_000)
            file.seek(at)
            assert file.read(length) == body[at : at + length], f"other bytes at {at}"
    ranges = [(rng.randrange(len(body) - 999), 999) for _ in range(40)]
    got = fs.cat_ranges([f"{BUCKET}/large.bin"] * 40, [at for at, _ in ranges], [at + n for at, n in ranges])
    assert got == [body[at : at + n] for at, n in ranges], "other bytes by cat_ranges"
    return "23 MiB in parts, 90 ranges of it"


def appended():
    small = rng.randbytes(1000)
    fs.pipe(f"{BUCKET}/log", small)
    with fs.open(f"{BUCKET}/log", "ab") as file:
        file.write(b"and more")
    assert fs.cat(f"{BUCKET}/log") == small + b"and more", "append to a small one"
    # From 5 MiB on the old object becomes the first part, by UploadPartCopy.
    large = rng.randbytes(7 * MIB)
    fs.pipe(f"{BUCKET}/log", large)
    with fs.open(f"{BUCKET}/log", "ab") as file:
        file.write(small)
    assert fs.cat(f"{BUCKET}/log") == large + small, "append to a large one"
    return "appended to by a copied part"


def as_a_file_system():
    names = ["a/1", "a/2 x+y%", "a/deep/3", "b/ü", "b/日本語"]
    fs.pipe({f"{BUCKET}/tree/{name}": name.encode() for name in names})
    equal("find", sorted(fs.find(f"{BUCKET}/tree")), sorted(f"{BUCKET}/tree/{name}" for name in names))
    equal("ls", sorted(fs.ls(f"{BUCKET}/tree/a", detail=False)),
          [f"{BUCKET}/tree/a/1", f"{BUCKET}/tree/a/2 x+y%", f"{BUCKET}/tree/a/deep"])  # fmt: skip
    equal("glob", sorted(fs.glob(f"{BUCKET}/tree/*/[0-9]*")), [f"{BUCKET}/tree/a/1", f"{BUCKET}/tree/a/2 x+y%"])
    # One by one: given a directory, `mv` also tries to copy the directory itself, which no bucket has.
    for name in ("1", "2 x+y%", "deep/3"):
        fs.mv(f"{BUCKET}/tree/a/{name}", f"{BUCKET}/tree/c/{name}")
    fs.cp(f"{BUCKET}/tree/b", f"{BUCKET}/tree/d", recursive=True)
    fs.invalidate_cache()
    want = {"c/1", "c/2 x+y%", "c/deep/3", "b/ü", "b/日本語", "d/ü", "d/日本語"}
    equal("moved and copied", {key.removeprefix("tree/") for key in keys(BUCKET, "tree/")}, want)
    equal("body", fs.cat(f"{BUCKET}/tree/c/deep/3"), b"a/deep/3")
    equal("du", fs.du(f"{BUCKET}/tree/d"), len("b/ü".encode()) + len("b/日本語".encode()))
    fs.setxattr(f"{BUCKET}/tree/c/1", copy_kwargs={"ContentType": "text/x-one"}, colour="red")
    equal("xattr", fs.getxattr(f"{BUCKET}/tree/c/1", "colour"), "red")
    fs.put_tags(f"{BUCKET}/tree/c/1", {"k": "v"})
    equal("tags", fs.get_tags(f"{BUCKET}/tree/c/1"), {"k": "v"})
    status, _, body = http("GET", fs.sign(f"{BUCKET}/tree/c/1", expiration=60))
    equal("presigned", (status, body), (200, b"a/1"))
    local = args.work / "down"
    fs.get(f"{BUCKET}/tree", str(local), recursive=True)
    equal("got", {str(p.relative_to(local)) for p in local.rglob("*") if p.is_file()}, want)
    return "ls, find, glob, mv, cp, xattr, tags, sign, get"


def transaction():
    with fs.transaction:
        for n in range(3):
            with fs.open(f"{BUCKET}/together/{n}", "wb") as file:
                file.write(b"x" * (n * 6 * MIB))
        equal("before the end", keys(BUCKET, "together/"), {})
    equal("after it", keys(BUCKET, "together/"), {f"together/{n}": n * 6 * MIB for n in range(3)})


def removed():
    fs.rm(BUCKET, recursive=True)
    equal("buckets", BUCKET in fs.ls("", refresh=True), False)
    try:
        s3.head_bucket(Bucket=BUCKET)
    except s3.exceptions.ClientError:
        return "removed"
    raise AssertionError("the bucket is still there")


report("pandas", f"{pd.__version__} with s3fs {s3fs.__version__}", tables, multipart_and_ranges, appended,
       as_a_file_system, transaction, removed)  # fmt: skip
