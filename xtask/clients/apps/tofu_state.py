"""OpenTofu: its state in the S3 backend, locked by an object that only one run may create."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app import ENDPOINT, keys, report, s3, version
from session import arguments, equal

BUCKET, STATE = "tofu", "teams/one/terraform.tfstate"
CONTENDERS = 4
args = arguments()
program = os.environ["TOFU"]
witness = args.work / "held"
environment = os.environ | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": "/dev/null"}

MAIN = """
terraform {
  backend "s3" {
    bucket         = "%(bucket)s"
    key            = "%(state)s"
    region         = "us-east-1"
    use_path_style = true
    use_lockfile   = true
    endpoints      = { s3 = "%(endpoint)s" }
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
  }
}
variable "who" { type = string }
resource "terraform_data" "turn" {
  triggers_replace = var.who
  input            = var.who
  # Two at once would find the directory of the other.
  provisioner "local-exec" {
    command = "mkdir '%(witness)s' && sleep 0.5 && rmdir '%(witness)s'"
  }
}
output "who" { value = terraform_data.turn.output }
"""


def place(name: str) -> Path:
    directory = args.work / name
    directory.mkdir(exist_ok=True)
    names = {"bucket": BUCKET, "state": STATE, "endpoint": ENDPOINT, "witness": witness}
    (directory / "main.tf").write_text(MAIN % names)
    return directory


def tofu(name: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([program, f"-chdir={args.work / name}", *arguments, "-no-color"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)  # fmt: skip


def good(name: str, *arguments: str) -> str:
    done = tofu(name, *arguments)
    assert done.returncode == 0, f"{name} {arguments[0]}: {done.stdout[-1500:]}{done.stderr[-3000:]}"
    return done.stdout


def state() -> dict:
    return json.loads(s3.get_object(Bucket=BUCKET, Key=STATE)["Body"].read())


def applied():
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    place("first")
    good("first", "init", "-input=false")
    good("first", "apply", "-auto-approve", "-input=false", "-var=who=first")
    equal("output", good("first", "output", "-raw", "who"), "first")
    equal("objects", list(keys(BUCKET)), [STATE])
    return "state written and read"


def one_at_a_time():
    serial = state()["serial"]
    names = [f"run-{n}" for n in range(CONTENDERS)]
    for name in names:
        place(name)
        good(name, "init", "-input=false")
    with ThreadPoolExecutor(CONTENDERS) as pool:
        list(pool.map(lambda name: good(name, "apply", "-auto-approve", "-input=false", "-lock-timeout=300s",
                                        f"-var=who={name}"), names))  # fmt: skip
    assert state()["serial"] >= serial + CONTENDERS, f"serial {state()['serial']} after {serial}"
    equal("objects", list(keys(BUCKET)), [STATE])
    return f"{CONTENDERS} runs at once took turns"


def held_by_another():
    s3.put_object(Bucket=BUCKET, Key=f"{STATE}.tflock", Body=json.dumps({"ID": "someone-else", "Who": "x"}).encode())
    done = tofu("first", "apply", "-auto-approve", "-input=false", "-var=who=late")
    assert done.returncode != 0 and "acquiring the state lock" in done.stderr, done.stderr[-2000:]
    assert "someone-else" in done.stderr, f"the holder is not named: {done.stderr[-2000:]}"
    good("first", "force-unlock", "-force", "someone-else")
    equal("objects", list(keys(BUCKET)), [STATE])
    return "a held lock refused and broken"


def workspaces():
    good("first", "workspace", "new", "staging")
    good("first", "apply", "-auto-approve", "-input=false", "-var=who=staging")
    listed = good("first", "workspace", "list")
    assert "staging" in listed and "default" in listed, listed
    good("first", "destroy", "-auto-approve", "-input=false", "-var=who=staging")
    good("first", "workspace", "select", "default")
    good("first", "workspace", "delete", "staging")
    equal("objects", list(keys(BUCKET)), [STATE])
    return "a workspace made, listed and deleted"


report("OpenTofu", version("TOFU"), applied, one_at_a_time, held_by_another, workspaces)
