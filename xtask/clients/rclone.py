"""rclone: copy a tree up and down, check it, list it, remove it."""

import json
import os
import subprocess

import corpus
from session import arguments, equal, run

BUCKET = "rclone-tree"
args = arguments()
files = corpus.paths(args.files, args.seed)
up, down = args.work / "up", args.work / "down"

ENVIRONMENT = os.environ | {
    "RCLONE_CONFIG": "/dev/null",
    "RCLONE_CONFIG_CAROB_TYPE": "s3",
    "RCLONE_CONFIG_CAROB_PROVIDER": "Other",
    "RCLONE_CONFIG_CAROB_ENV_AUTH": "true",
    "RCLONE_CONFIG_CAROB_REGION": os.environ["AWS_REGION"],
    "RCLONE_CONFIG_CAROB_ENDPOINT": os.environ["AWS_ENDPOINT_URL"],
}


def rclone(*arguments: str) -> str:
    command = [os.environ["RCLONE"], "--retries", "1", "--low-level-retries", "1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def copy_up():
    corpus.write_tree(files, up)
    rclone("mkdir", f"carob:{BUCKET}")
    rclone("copy", str(up), f"carob:{BUCKET}")
    return f"{len(files)} files, {sum(file.size for file in files) >> 20} MiB"


def list_them():
    entries = json.loads(rclone("lsjson", "--recursive", "--files-only", "--hash", f"carob:{BUCKET}"))
    got = {entry["Path"]: (entry["Size"], f'"{entry["Hashes"]["md5"]}"') for entry in entries}
    equal("objects", got, {file.name: (file.size, file.etag()) for file in files})


def check_by_hash_and_by_bytes():
    rclone("check", str(up), f"carob:{BUCKET}")
    rclone("check", "--download", str(up), f"carob:{BUCKET}")


def modification_times_come_back():
    rclone("copy", f"carob:{BUCKET}", str(down))
    corpus.compare_tree(files, down)
    for file in files:
        before, after = (up / file.name).stat().st_mtime_ns, (down / file.name).stat().st_mtime_ns
        assert abs(before - after) < 1000, f"mtime of {file.name!r} moved by {after - before} ns"


def sync_again_moves_nothing():
    report = rclone("sync", "--use-json-log", "--stats", "0", "--combined", "-", str(up), f"carob:{BUCKET}")
    changed = [line for line in report.splitlines() if not line.startswith("= ")]
    equal("changed files", changed, [])


def remove():
    rclone("delete", f"carob:{BUCKET}")
    equal("left over", rclone("lsf", "--recursive", f"carob:{BUCKET}"), "")
    rclone("rmdir", f"carob:{BUCKET}")


run(copy_up, list_them, check_by_hash_and_by_bytes, modification_times_come_back, sync_again_moves_nothing, remove)
