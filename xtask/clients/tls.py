"""TLS: boto3, the AWS CLI, s3cmd and curl believe the gateway's authority and no other, also after its certificate was replaced."""

import hashlib
import http.client
import os
import ssl
import sys
import time
import urllib.parse
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

import command
from session import arguments, equal, run

BUCKET = "over-tls"
args = arguments()
endpoint = os.environ["AWS_ENDPOINT_URL"]
host = urllib.parse.urlsplit(endpoint)
authority, next_authority = os.environ["TLS_AUTHORITY"], os.environ["TLS_NEXT_AUTHORITY"]
body = os.urandom(17 << 20)


def client(believed: str | None):
    once = botocore.config.Config(retries={"total_max_attempts": 1})
    return boto3.client("s3", verify=believed, config=once)


s3 = client(authority)
aws = command.aws()
curl = command.runner("curl", "--silent", "--show-error", "--fail")


def objects_go_in_and_out():
    equal("scheme", host.scheme, "https")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="small", Body=b"small")
    source = args.work / "large"
    source.write_bytes(body)
    s3.upload_file(str(source), BUCKET, "large")
    equal("parts", s3.head_object(Bucket=BUCKET, Key="large")["ETag"][-3:], '-3"')
    equal("body", hashlib.sha256(s3.get_object(Bucket=BUCKET, Key="large")["Body"].read()).digest(), hashlib.sha256(body).digest())


def others_are_not_believed():
    for believed in (None, next_authority):
        try:
            client(believed).list_buckets()
        except botocore.exceptions.SSLError:
            continue
        raise AssertionError(f"the certificate was believed by {believed}")
    assert "certificate" in curl(f"{endpoint}/_carob/health", ok=False)
    plain = http.client.HTTPConnection(host.hostname, host.port, timeout=10)
    try:
        plain.request("GET", "/_carob/health")
        answer = plain.getresponse()
    except (http.client.HTTPException, OSError):
        return
    raise AssertionError(f"answered without TLS: {answer.status}")


def the_customer_s_key_and_policies_about_tls():
    key = os.urandom(32)
    s3.put_object(Bucket=BUCKET, Key="sealed", Body=b"sealed", SSECustomerAlgorithm="AES256", SSECustomerKey=key)
    answer = s3.get_object(Bucket=BUCKET, Key="sealed", SSECustomerAlgorithm="AES256", SSECustomerKey=key)
    equal("sealed body", answer["Body"].read(), b"sealed")
    statement = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource":'
        f' ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"], "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}}}]}}'
    )
    s3.put_bucket_policy(Bucket=BUCKET, Policy=statement)
    equal("body under the policy", s3.get_object(Bucket=BUCKET, Key="small")["Body"].read(), b"small")


def presigned_urls_for_curl():
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "small"})
    equal("body", curl("--cacert", authority, url), "small")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "by curl"})
    curl("--cacert", authority, "--upload-file", str(args.work / "large"), url)
    equal("size", s3.head_object(Bucket=BUCKET, Key="by curl")["ContentLength"], len(body))
    for version in ("1.2", "1.3"):
        curl("--cacert", authority, f"--tlsv{version}", "--tls-max", version, f"{endpoint}/_carob/health")


def the_aws_cli():
    source, copy = str(args.work / "large"), args.work / "copy"
    aws("--ca-bundle", authority, "s3", "cp", source, f"s3://{BUCKET}/cli", "--only-show-errors")
    aws("--ca-bundle", authority, "s3", "cp", f"s3://{BUCKET}/cli", str(copy), "--only-show-errors")
    equal("body", copy.read_bytes() == body, True)
    assert "SSL" in aws("s3", "ls", ok=False)


def s3cmd():
    keys = "--access_key", os.environ["AWS_ACCESS_KEY_ID"], "--secret_key", os.environ["AWS_SECRET_ACCESS_KEY"]
    where = "--host", host.netloc, "--host-bucket", host.netloc
    program = str(Path(sys.executable).parent / "s3cmd")
    call = command.runner(program, "--config", os.devnull, "--ssl", "--ca-certs", authority, *keys, *where)
    copy = args.work / "by-s3cmd"
    call("get", f"s3://{BUCKET}/large", str(copy))
    equal("body", copy.read_bytes() == body, True)


def another_certificate_takes_its_place():
    believes = ssl.create_default_context(cafile=authority)
    kept = http.client.HTTPSConnection(host.hostname, host.port, context=believes, timeout=60)
    health = lambda: (kept.request("GET", "/_carob/health"), kept.getresponse().read())[1]
    before = health()
    shown = ssl.get_server_certificate((host.hostname, host.port))
    for name in ("KEY", "CHAIN"):
        os.replace(os.environ[f"TLS_NEXT_{name}"], os.environ[f"TLS_{name}"])
    patience = time.monotonic() + 60
    while ssl.get_server_certificate((host.hostname, host.port)) == shown:
        assert time.monotonic() < patience, "the old certificate is still shown"
        time.sleep(0.2)
    equal("the connection that was open", health(), before)
    equal("body", client(next_authority).get_object(Bucket=BUCKET, Key="small")["Body"].read(), b"small")
    try:
        client(authority).list_buckets()
    except botocore.exceptions.SSLError:
        return
    raise AssertionError("the authority of the old certificate is believed for the new one")


run(
    objects_go_in_and_out,
    others_are_not_believed,
    the_customer_s_key_and_policies_about_tls,
    presigned_urls_for_curl,
    the_aws_cli,
    s3cmd,
    another_certificate_takes_its_place,
)
