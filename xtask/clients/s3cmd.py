"""s3cmd: a tree up and down, files in parts, copies, signatures in URLs that it still makes the old way."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import corpus
import large
import plain_http
from corpus import MIB
from session import arguments, equal, run

BUCKET, OTHER = "s3://s3cmd-tree", "s3://s3cmd-other"
args = arguments()
up, down = args.work / "up", args.work / "down"
config = args.work / "s3cfg"
# s3cmd rewrites names that XML of version 1.0 cannot hold, and strips white space around a file's name.
files = [file for file in corpus.paths(args.files, args.seed) if file.name == file.name.strip(" \ufeff\u200b")]
# Over its threshold of 15 MiB: parts of 15, 15 and 3 MiB and a bit.
BIG, BIG_SIZE = "big file/ü+%.bin", 33 * MIB + 12345


def s3cmd(*arguments: str, ok: bool = True, quiet: str = "\n") -> str:
    command = [sys.executable, str(Path(sys.executable).parent / "s3cmd"), "--config", str(config), "--no-progress"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ok:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        # Retries, wrong checksums and the like are warnings.
        good = done.returncode == 0 and not any(quiet not in line for line in done.stderr.splitlines() if "WARNING" in line)
        assert good, f"{' '.join(arguments)}: {done.returncode}\n{said}"
        return done.stdout
    assert done.returncode != 0, f"{' '.join(arguments)} should have failed: {done.stdout[-2000:]}"
    return done.stderr


def buckets():
    host = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
    config.write_text(
        "[default]\n"
        f"access_key = {os.environ['AWS_ACCESS_KEY_ID']}\nsecret_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
        f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\nsignurl_use_https = False\n"
    )
    for bucket in (BUCKET, OTHER):
        s3cmd("mb", bucket)
    shown = s3cmd("ls").split()
    assert BUCKET in shown and OTHER in shown, f"missing in {shown}"
    assert "us-east-1" in s3cmd("info", BUCKET)


def sync_up():
    corpus.write_tree(files, up)
    s3cmd("sync", f"{up}/", f"{BUCKET}/")
    return f"{len(files)} files, {sum(file.size for file in files) >> 20} MiB"


def list_them():
    lines = s3cmd("ls", "--recursive", "--list-md5", BUCKET).splitlines()
    fields = [line.split(maxsplit=4) for line in lines]
    got = {name.removeprefix(f"{BUCKET}/"): (int(size), md5) for _, _, size, md5, name in fields}
    equal("objects", got, {file.name: (file.size, file.etag().strip('"')) for file in files})
    top = {file.name.split("/")[0] + ("/" if "/" in file.name else "") for file in files}
    shown = {line[line.index("s3://") :] for line in s3cmd("ls", f"{BUCKET}/").splitlines()}
    equal("with a delimiter", {name.removeprefix(f"{BUCKET}/") for name in shown}, top)


def sync_again_moves_nothing():
    assert "upload:" not in s3cmd("sync", f"{up}/", f"{BUCKET}/")


def sync_down():
    down.mkdir()
    s3cmd("sync", f"{BUCKET}/", f"{down}/")
    corpus.compare_tree(files, down)


def multipart():
    source, target = args.work / "big", args.work / "big-down"
    large.write(source, "s3cmd", BIG_SIZE, args.seed)
    s3cmd("put", str(source), f"{BUCKET}/{BIG}", "--mime-type", "x/y", "--add-header", "x-amz-meta-one: two words")
    s3cmd("get", f"{BUCKET}/{BIG}", str(target))
    large.compare_file(target, "s3cmd", BIG_SIZE, args.seed)
    shown = s3cmd("info", f"{BUCKET}/{BIG}")
    for wanted in (f"File size: {BIG_SIZE}", "MIME type: x/y", "two words"):
        assert wanted in shown, f"{wanted!r} is not in {shown}"


def continue_a_download():
    """A range from where the local file ends."""
    target = args.work / "cut"
    target.write_bytes((args.work / "big").read_bytes()[: 7 * MIB + 5])
    s3cmd("get", "--continue", f"{BUCKET}/{BIG}", str(target))
    large.compare_file(target, "s3cmd", BIG_SIZE, args.seed)


def s3():
    """For what s3cmd cannot do: leaving an upload unfinished."""
    return boto3.client("s3")


def continue_an_upload():
    """Parts that are there already are not sent again."""
    size = 15 * MIB
    with (args.work / "big").open("rb") as file:
        (args.work / "first").write_bytes(file.read(size))
    where = {"Bucket": BUCKET.removeprefix("s3://"), "Key": "continued"}
    upload = s3().create_multipart_upload(**where)["UploadId"]
    with (args.work / "first").open("rb") as body:
        s3().upload_part(**where, UploadId=upload, PartNumber=1, Body=body)
    assert upload in s3cmd("multipart", BUCKET)
    assert f"{size}" in s3cmd("listmp", f"{BUCKET}/continued", upload)
    s3cmd("put", "--continue-put", "--upload-id", upload, str(args.work / "big"), f"{BUCKET}/continued", quiet="part 1, skipping")
    s3cmd("get", f"{BUCKET}/continued", str(args.work / "continued"))
    large.compare_file(args.work / "continued", "s3cmd", BIG_SIZE, args.seed)


def abort_an_upload():
    where = {"Bucket": BUCKET.removeprefix("s3://"), "Key": "to be aborted"}
    upload = s3().create_multipart_upload(**where)["UploadId"]
    s3cmd("abortmp", f"{BUCKET}/to be aborted", upload)
    assert upload not in s3cmd("multipart", BUCKET)
    assert "NoSuchUpload" in s3cmd("abortmp", f"{BUCKET}/to be aborted", upload, ok=False)


def copies():
    s3cmd("cp", f"{BUCKET}/{BIG}", f"{OTHER}/copy of ü+%.bin")
    s3cmd("get", f"{OTHER}/copy of ü+%.bin", str(args.work / "copy"))
    large.compare_file(args.work / "copy", "s3cmd", BIG_SIZE, args.seed)
    assert "two words" in s3cmd("info", f"{OTHER}/copy of ü+%.bin")
    s3cmd("mv", f"{OTHER}/copy of ü+%.bin", f"{OTHER}/moved")
    equal("keys", [line.split(maxsplit=3)[3] for line in s3cmd("ls", OTHER).splitlines()], [f"{OTHER}/moved"])
    s3cmd("modify", "--add-header", "x-amz-meta-three: 3", f"{OTHER}/moved")
    shown = s3cmd("info", f"{OTHER}/moved")
    assert "two words" in shown and "x-amz-meta-three" in shown, shown


def copy_in_parts():
    """Copies above the client's threshold are server-side multipart copies."""
    with config.open("a") as file:
        file.write("multipart_copy_chunk_size_mb = 15\n")
    s3cmd("cp", f"{BUCKET}/{BIG}", f"{OTHER}/in parts")
    s3cmd("get", f"{OTHER}/in parts", str(args.work / "in parts"))
    large.compare_file(args.work / "in parts", "s3cmd", BIG_SIZE, args.seed)


def sync_between_buckets():
    s3cmd("del", "--recursive", "--force", OTHER)
    s3cmd("sync", f"{BUCKET}/", f"{OTHER}/")
    names = [
        [line[line.index("s3://") :].removeprefix(bucket) for line in s3cmd("ls", "--recursive", bucket).splitlines()]
        for bucket in (BUCKET, OTHER)
    ]
    equal("copied", names[1], names[0])


def signed_urls():
    """s3cmd signs URLs with Signature Version 2."""
    file = next(file for file in files if file.size)
    url = s3cmd("signurl", f"{BUCKET}/{file.name}", "+60").strip()
    answer = plain_http.get(url)
    assert answer.status == 200, f"{answer.status} {answer.body!r}"
    assert answer.body == file.body()
    forged = plain_http.get(url.replace("Expires=", "Expires=1"))
    assert forged.status == 403, f"{forged.status} {forged.body!r}"


def errors():
    for code, arguments in {
        "NoSuchBucket": ("ls", "s3://no-such-bucket"),
        "BucketNotEmpty": ("rb", BUCKET),
        "does not exist": ("get", f"{BUCKET}/absent", str(args.work / "absent")),
    }.items():
        said = s3cmd(*arguments, ok=False)
        assert code in said, f"{code} is not in {said}"


def remove():
    s3cmd("del", "--recursive", "--force", BUCKET)
    equal("left over", s3cmd("ls", "--recursive", BUCKET), "")
    s3cmd("rb", BUCKET)
    s3cmd("rb", "--recursive", "--force", OTHER, quiet="Bucket is not empty")
    assert OTHER not in s3cmd("ls")


run(
    buckets, sync_up, list_them, sync_again_moves_nothing, sync_down, multipart, continue_a_download,
    continue_an_upload, abort_an_upload, copies, copy_in_parts, sync_between_buckets, signed_urls, errors, remove,
)  # fmt: skip
