"""minio-js: the steps are in minio_js.cjs."""

import os
from pathlib import Path

from app import hand_over
from session import arguments

hand_over(os.environ.get("NODE", "node"), str(Path(__file__).with_suffix(".cjs")), str(arguments().work))
