"""Zarr over s3fs: an array in thousands of chunks, written and read in slices, some by ranges of a shard."""

import logging

import numpy as np
import s3fs
import zarr
from app import keys, report, s3
from session import arguments, equal

BUCKET = "zarr"
args = arguments()
rng = np.random.default_rng(args.seed)
body = rng.integers(0, 1000, size=(600, 800), dtype=np.int32)
# Zarr leaves the sessions of its stores open to the end, of which asyncio complains.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def store(name: str) -> zarr.storage.FsspecStore:
    return zarr.storage.FsspecStore(s3fs.S3FileSystem(asynchronous=True), path=f"{BUCKET}/{name}")


def chunked():
    s3.create_bucket(Bucket=BUCKET)
    array = zarr.create_array(store("chunked"), shape=body.shape, chunks=(20, 40), dtype=body.dtype, fill_value=-1)
    array[:300] = body[:300]
    array[300:, 100:] = body[300:, 100:]
    again = zarr.open_array(store("chunked"), mode="r+")
    assert np.array_equal(again[:300], body[:300]) and np.array_equal(again[300:, 100:], body[300:, 100:])
    assert (again[320:, :80] == -1).all(), "what was never written is not the fill value"
    again[310:330, 50:90] = 7
    assert (zarr.open_array(store("chunked"), mode="r")[310:330, 50:90] == 7).all(), "an update is not there"
    return f"{len(keys(BUCKET, 'chunked/'))} chunks"


def sharded():
    array = zarr.create_array(store("sharded"), shape=body.shape, chunks=(20, 40), shards=(200, 400), dtype=body.dtype)
    array[:] = body
    again = zarr.open_array(store("sharded"), mode="r")
    for _ in range(20):
        row, column = rng.integers(0, 500), rng.integers(0, 700)
        found = again[row : row + 30, column : column + 30]
        assert np.array_equal(found, body[row : row + 30, column : column + 30]), f"other numbers at {row}, {column}"
    return f"{len(keys(BUCKET, 'sharded/'))} shards read by ranges"


def grouped():
    group = zarr.create_group(store("group"))
    for name in ("a", "b/c"):
        group.create_array(name, shape=(10,), dtype="f8", attributes={"of": name})[:] = np.arange(10.0)
    again = zarr.open_group(store("group"), mode="a")
    equal("members", sorted(name for name, _ in again.members(max_depth=None)), ["a", "b", "b/c"])
    equal("attributes", again["b/c"].attrs["of"], "b/c")
    del again["b"]
    equal("left over", keys(BUCKET, "group/b/"), {})
    return "groups listed and deleted"


report("zarr", zarr.__version__, chunked, sharded, grouped)
