"""s5cmd: a tree up, down, synchronised, copied, moved and removed, many requests at once."""

import json
import os
import shutil

import corpus
from app import ENDPOINT, keys, report, s3, version
from command import runner
from session import arguments, equal

BUCKET = "s5cmd-tree"
args = arguments()
# s5cmd takes * and ? for a pattern and spells out what cannot be seen; and here names get a prefix.
files = [
    f for f in corpus.paths(args.files, args.seed)
    if f.name.isprintable() and not set(f.name) & set("*?[\\") and len(f.name) < 1000
]  # fmt: skip
sizes = {f.name: f.size for f in files}
up, down = args.work / "up", args.work / "down"
s5cmd = runner(os.environ["S5CMD"], "--endpoint-url", ENDPOINT, "--retry-count", "1")


def copied_up():
    s5cmd("mb", f"s3://{BUCKET}")
    corpus.write_tree(files, up)
    s5cmd("cp", "--part-size", "5", f"{up}/", f"s3://{BUCKET}/tree/")
    equal("keys", {key.removeprefix("tree/"): size for key, size in keys(BUCKET).items()}, sizes)
    return f"{len(files)} files up"


def listed():
    lines = s5cmd("ls", "--etag", f"s3://{BUCKET}/tree/*").splitlines()
    equal("lines", len(lines), len(files))
    total = s5cmd("du", f"s3://{BUCKET}/tree/*").split()
    equal("du", int(total[0]), sum(sizes.values()))


def copied_down():
    s5cmd("cp", "--part-size", "5", "--concurrency", "3", f"s3://{BUCKET}/tree/*", f"{down}/")
    corpus.compare_tree(files, down)
    return "and down"


def synchronised():
    equal("nothing to do", s5cmd("sync", f"{up}/", f"s3://{BUCKET}/tree/"), "")
    gone = next(f for f in files if f.name == "dir/file")
    (up / gone.name).unlink()
    (up / "new").write_bytes(b"new")
    s5cmd("sync", "--delete", f"{up}/", f"s3://{BUCKET}/tree/")
    want = {name: size for name, size in sizes.items() if name != gone.name} | {"new": 3}
    equal("keys", {key.removeprefix("tree/"): size for key, size in keys(BUCKET).items()}, want)
    shutil.rmtree(down)
    s5cmd("sync", f"s3://{BUCKET}/tree/*", f"{down}/")
    equal("new", (down / "new").read_bytes(), b"new")
    return "synchronised both ways"


def inside():
    before = keys(BUCKET, "tree/")
    s5cmd("cp", f"s3://{BUCKET}/tree/*", f"s3://{BUCKET}/copy/")
    s5cmd("mv", f"s3://{BUCKET}/copy/*", f"s3://{BUCKET}/moved/")
    equal("moved", {key.removeprefix("moved/"): size for key, size in keys(BUCKET, "moved/").items()},
          {key.removeprefix("tree/"): size for key, size in before.items()})  # fmt: skip
    equal("left behind", keys(BUCKET, "copy/"), {})
    key = next(key for key, size in before.items() if size > 1000)
    equal("cat", s5cmd("cat", f"s3://{BUCKET}/tree/new"), "new")
    equal("head", json.loads(s5cmd("--json", "head", f"s3://{BUCKET}/{key}"))["size"], before[key])
    return "copied and moved on the server"


def removed():
    s5cmd("rm", f"s3://{BUCKET}/*")
    equal("left over", keys(BUCKET), {})
    s5cmd("rb", f"s3://{BUCKET}")
    equal("buckets", BUCKET in [b["Name"] for b in s3.list_buckets()["Buckets"]], False)
    return "removed"


report("s5cmd", version("S5CMD"), copied_up, listed, copied_down, synchronised, inside, removed)
