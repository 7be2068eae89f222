"""Litestream: a SQLite database replicated while it is written, restored as of its end and as of a moment before."""

import json
import os
import sqlite3
import time
from datetime import UTC, datetime

from app import ENDPOINT, keys, report, s3, server, until, version
from command import runner
from session import arguments, equal

BUCKET = "litestream"
args = arguments()
source = args.work / "source.db"
config = args.work / "litestream.yml"
config.write_text(json.dumps({
    "dbs": [{
        "path": str(source),
        "replica": {
            "type": "s3", "bucket": BUCKET, "path": "replicas/source", "endpoint": ENDPOINT,
            "force-path-style": True, "sync-interval": "200ms",
        },
    }],
}))  # fmt: skip
litestream = runner(os.environ["LITESTREAM"])
then: dict = {}


def rows(path) -> list[tuple]:
    database = sqlite3.connect(path)
    try:
        equal("integrity", database.execute("pragma integrity_check").fetchone(), ("ok",))
        return database.execute("select id, body from t order by id").fetchall()
    finally:
        database.close()


def restored(*how: str) -> list[tuple]:
    target = args.work / "restored.db"
    target.unlink(missing_ok=True)
    litestream("restore", "-config", str(config), *how, "-o", str(target), str(source))
    return rows(target)


def caught_up() -> bool:
    return restored() == rows(source)


def write(database: sqlite3.Connection, first: int, count: int) -> None:
    for at in range(first, first + count, 10):
        with database:
            database.executemany(
                "insert into t values (?, ?)", [(n, f"{args.seed}/{n}/".encode() * 300) for n in range(at, at + 10)]
            )
        time.sleep(0.01)


def replicated():
    s3.create_bucket(Bucket=BUCKET)
    database = sqlite3.connect(source)
    database.execute("pragma journal_mode = wal")
    database.execute("create table t (id integer primary key, body blob)")
    with server(os.environ["LITESTREAM"], "replicate", "-config", str(config), log=args.work / "litestream.log"):
        write(database, 0, 1000)
        until("the replica has it all", caught_up)
        # Moments are told to the second.
        time.sleep(1.1)
        then["rows"], then["at"] = rows(source), datetime.now(UTC)
        time.sleep(1.1)
        write(database, 1000, 1000)
        with database:
            database.execute("delete from t where id % 7 = 3")
            database.execute("update t set body = 'changed' where id % 7 = 4")
        until("the replica has it all", caught_up)
    database.close()
    return f"{len(rows(source))} rows replicated while they came, in {len(keys(BUCKET))} objects"


def restored_whole():
    equal("rows", restored(), rows(source))
    return "restored whole"


def restored_as_it_was():
    stamp = then["at"].strftime("%Y-%m-%dT%H:%M:%SZ")
    equal("rows then", restored("-timestamp", stamp), then["rows"])
    return f"restored as of a moment before, {len(then['rows'])} rows"


report("litestream", version("LITESTREAM"), replicated, restored_whole, restored_as_it_was)
