"""A file of 4 GiB up and down with each client's own defaults; each step is a process of its own."""

import subprocess
import sys
from pathlib import Path

import boto3
import large
from large import GIB
from session import arguments, run

BUCKET, NAME, SIZE = "large-memory", "memory", 4 * GIB
args = arguments("step")
source, target = args.work / "source", args.work / "target"


def aws(*arguments: str) -> None:
    command = [str(Path(sys.executable).parent / "aws"), *arguments, "--only-show-errors"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def make():
    large.write(source, NAME, SIZE, args.seed)
    boto3.client("s3").create_bucket(Bucket=BUCKET)


def aws_up():
    aws("s3", "cp", str(source), f"s3://{BUCKET}/aws")


def aws_down():
    aws("s3", "cp", f"s3://{BUCKET}/aws", str(target))
    large.compare_file(target, NAME, SIZE, args.seed)
    target.unlink()


def boto3_up():
    boto3.client("s3").upload_file(str(source), BUCKET, "boto3")


def boto3_down():
    boto3.client("s3").download_file(BUCKET, "boto3", str(target))
    large.compare_file(target, NAME, SIZE, args.seed)
    target.unlink()


run({"make": make, "aws-up": aws_up, "aws-down": aws_down, "boto3-up": boto3_up, "boto3-down": boto3_down}[args.step])
