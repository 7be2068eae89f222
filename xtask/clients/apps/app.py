"""What the scripts about programs share: their report, a bucket of their own, and servers that are stopped again.

Endpoint, region and keys come from the AWS_* environment, as for any user of these programs. `session`, `command` and
`corpus` lie in the directory above.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import boto3

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOST = urlsplit(ENDPOINT).netloc
KEY, SECRET, REGION = (os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"))
s3 = boto3.client("s3")


def report(program: str, version: str, *steps) -> None:
    """Takes `steps` in turn, stops at the first that fails, and prints one line about it all."""
    begun = time.monotonic()
    notes = []
    for step in steps:
        try:
            notes.append(step())
        except Exception:
            print(f"FAILED {program} {version}: {step.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
            sys.exit(1)
    done = "; ".join(filter(None, notes))
    print(f"ok     {program} {version} ({time.monotonic() - begun:.0f} s): {done}", flush=True)


def hand_over(*command: str) -> None:
    """The steps are in another language: the program that `command` starts makes the report."""
    sys.exit(subprocess.run(command, stdin=subprocess.DEVNULL).returncode)


def version(variable: str) -> str:
    """Of a program built from a Go module, which does not know it itself: it lies in a directory of that name."""
    return Path(os.environ[variable]).parent.name.removeprefix("v")


def keys(bucket: str, prefix: str = "") -> dict[str, int]:
    """What a bucket holds by boto3, which shares no code with most of the programs: size of each key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(*command: str, log: Path, environment: dict[str, str] | None = None):
    """A program in the background, stopped as its service manager would; its process."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment or os.environ
        )
    try:
        yield child
        assert child.poll() is None, f"{command[0]} ended by itself: {log.read_text()[-2000:]}"
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def until(what: str, holds, seconds: float = 60) -> None:
    """Waits for `holds()`; a connection that is refused meanwhile says that it does not hold yet."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(ConnectionError, urllib.error.URLError):
            if holds():
                return
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)


def http(method: str, url: str, body: bytes | None = None, **headers: str):
    """Status, headers and body of the answer, whatever the status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=named)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()
