"""AWS SDK for JavaScript v3: the checks are in aws_sdk_js.cjs; this hands it the objects that every client uploads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import corpus
from session import arguments

args = arguments()
entries = []
for number, file in enumerate(corpus.keys(args.files, args.seed)):
    path = args.work / f"body-{number}"
    path.write_bytes(file.body())
    in_xml = file.name not in corpus.CONTROL_KEYS
    entries.append({"key": file.name, "size": file.size, "etag": file.etag(), "path": str(path), "inXml": in_xml})
manifest = args.work / "manifest.json"
manifest.write_text(json.dumps(entries))
script = Path(__file__).with_suffix(".cjs")
sys.exit(subprocess.run([os.environ.get("NODE", "node"), script, args.work], stdin=subprocess.DEVNULL).returncode)
