"""Running a client that is a command."""

import subprocess
import sys
from pathlib import Path


def runner(*program: str, environment: dict[str, str] | None = None, stdin=subprocess.DEVNULL):
    """A function that runs `program` with arguments and gives its output, or its errors where it must fail."""

    def call(*arguments: str, ok: bool = True) -> str:
        done = subprocess.run(
            [*program, *arguments], capture_output=True, text=True, stdin=stdin, env=environment
        )
        shown = " ".join(arguments)
        if ok:
            assert done.returncode == 0, f"{shown}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
            return done.stdout
        assert done.returncode != 0, f"{shown} should have failed: {done.stdout[-2000:]}"
        return done.stdout + done.stderr

    return call


def aws():
    """The AWS CLI that is installed beside this interpreter."""
    return runner(str(Path(sys.executable).parent / "aws"))
