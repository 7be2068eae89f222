"""What every client script shares: its arguments, its report, and the boto3 client.

Endpoint, region and keys come from the AWS_* environment, as for any user of these clients.
"""

import argparse
import sys
import time
import traceback
from pathlib import Path

from botocore.exceptions import ClientError


def arguments(*positional: str):
    parser = argparse.ArgumentParser()
    for name in positional:
        parser.add_argument(name)
    parser.add_argument("--files", type=int, default=300, help="how many files to upload")
    parser.add_argument("--seed", type=int, default=1, help="names, sizes and bodies follow from it")
    parser.add_argument("--work", type=Path, required=True, help="an empty directory for local files")
    return parser.parse_args()


def run(*checks) -> None:
    """Runs `checks` in turn and exits; non-zero when one failed. The first sets the stage for the others."""
    passed, failed = 0, 0
    for check in checks:
        begun = time.monotonic()
        try:
            note = check() or ""
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
            if check is checks[0]:
                break
        else:
            passed += 1
            print(f"ok     {check.__name__} ({time.monotonic() - begun:.1f} s) {note}".rstrip(), flush=True)
    name = Path(sys.argv[0]).stem
    print(f"{name}: {passed} passed, {failed} failed, {len(checks) - passed - failed} skipped", flush=True)
    sys.exit(1 if failed else 0)


def equal(what: str, got, want) -> None:
    if isinstance(got, dict) and isinstance(want, dict) and len(want) > 10:
        # Thousands of objects: only what differs is of interest.
        got, want = ({k: v for k, v in a.items() if k not in b or b[k] != v} for a, b in ((got, want), (want, got)))
    assert got == want, f"{what}: got {got!r:.2000}, want {want!r:.2000}"


def refused(code: str, status: int, call, **parameters) -> None:
    """The call must fail with exactly this S3 error code and HTTP status."""
    shown = {name: value for name, value in parameters.items() if name != "Body"}
    try:
        answer = call(**parameters)
    except ClientError as error:
        got = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        equal(f"error of {error.operation_name} {shown}", got, (code, status))
        return
    raise AssertionError(f"expected {code} for {shown}, got {answer!r}")
