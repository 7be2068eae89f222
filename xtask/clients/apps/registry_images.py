"""The container registry (distribution) on its S3 driver: images pushed and pulled by HTTP, garbage collected."""

import hashlib
import json
import os
import random

from app import ENDPOINT, KEY, REGION, SECRET, free_port, http, keys, report, s3, server, until, version
from command import runner
from session import arguments, equal

BUCKET = "images"
MIB = 1 << 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
args = arguments()
rng = random.Random(args.seed)
port = free_port()
base = f"http://127.0.0.1:{port}"
config = args.work / "config.yml"
config.write_text(json.dumps({
    "version": "0.1",
    "log": {"level": "warn"},
    "storage": {
        "s3": {
            "accesskey": KEY, "secretkey": SECRET, "region": REGION, "regionendpoint": ENDPOINT,
            "forcepathstyle": True, "bucket": BUCKET, "rootdirectory": "/nested/registry",
            "chunksize": 5 * MIB, "secure": False,
        },
        "delete": {"enabled": True},
        "redirect": {"disable": False},
    },
    "http": {"addr": f"127.0.0.1:{port}", "secret": "of no importance"},
}))  # fmt: skip
registry = runner(os.environ["REGISTRY"])
# Bodies of blobs by digest, and manifests by "name:tag".
blobs: dict[str, bytes] = {}
images: dict[str, bytes] = {}


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def serving():
    return server(os.environ["REGISTRY"], "serve", str(config), log=args.work / "registry.log")


def wait() -> None:
    until("the registry answers", lambda: http("GET", f"{base}/v2/")[0] == 200)


def begin(name: str, query: str = "") -> tuple[int, str]:
    status, headers, _ = http("POST", f"{base}/v2/{name}/blobs/uploads/{query}", b"")
    return status, headers["Location"]


def push_blob(name: str, body: bytes, chunk: int) -> str:
    """In chunks of this size, each a PATCH that goes on where the last one ended."""
    status, place = begin(name)
    equal("begun", status, 202)
    for at in range(0, len(body), chunk):
        part = body[at : at + chunk]
        status, headers, text = http("PATCH", place, part, Content_Type="application/octet-stream",
                                     Content_Range=f"{at}-{at + len(part) - 1}")  # fmt: skip
        assert status == 202, f"chunk at {at}: {status} {text}"
        place = headers["Location"]
    sum_ = digest(body)
    status, _, text = http("PUT", f"{place}&digest={sum_}", b"")
    assert status == 201, f"end of an upload of {len(body)}: {status} {text}"
    blobs[sum_] = body
    return sum_


def push_image(name: str, tag: str, layers: list[str]) -> None:
    settings = push_blob(name, json.dumps({"of": f"{name}:{tag}"}).encode(), MIB)
    kind = "application/vnd.oci.image"
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": f"{kind}.config.v1+json", "digest": settings, "size": len(blobs[settings])},
        "layers": [{"mediaType": f"{kind}.layer.v1.tar", "digest": d, "size": len(blobs[d])} for d in layers],
    }).encode()  # fmt: skip
    status, _, text = http("PUT", f"{base}/v2/{name}/manifests/{tag}", manifest, Content_Type=MANIFEST)
    assert status == 201, f"manifest: {status} {text}"
    images[f"{name}:{tag}"] = manifest


def pull(image: str) -> None:
    name, tag = image.split(":")
    status, _, manifest = http("GET", f"{base}/v2/{name}/manifests/{tag}", Accept=MANIFEST)
    equal(f"manifest of {image}", (status, manifest), (200, images[image]))
    known = json.loads(manifest)
    for part in [known["config"], *known["layers"]]:
        # The registry sends the client on to a presigned URL.
        status, _, body = http("GET", f"{base}/v2/{name}/blobs/{part['digest']}")
        assert status == 200 and body == blobs[part["digest"]], f"{part['digest']} of {image}: {status}, other bytes"


def pushed():
    wait()
    small = [(0, MIB), (1, MIB), (100_000, 30_000)]
    large = [(12 * MIB + 7, 3 * MIB), (17 * MIB, 6 * MIB), (30 * MIB, 64 * MIB)]
    layers = [push_blob("team/app", rng.randbytes(size), chunk) for size, chunk in small + large]
    push_image("team/app", "v1", layers[:4])
    push_image("team/app", "v2", layers[1:])
    status, _ = begin("other", f"?mount={layers[4]}&from=team/app")
    equal("mounted", status, 201)
    push_image("other", "latest", [layers[4]])
    status, place = begin("team/app")
    status, *_ = http("PUT", f"{place}&digest={digest(b'wrong')}", b"other")
    equal("a wrong digest", status, 400)
    return f"3 images pushed in chunks, {sum(map(len, blobs.values())) >> 20} MiB"


def pulled():
    for image in images:
        pull(image)
    large = max(blobs, key=lambda sum_: len(blobs[sum_]))
    status, _, body = http("GET", f"{base}/v2/team/app/blobs/{large}", Range="bytes=9000000-9999999")
    assert status == 206 and body == blobs[large][9_000_000:10_000_000], f"range: {status}"
    equal("tags", sorted(json.loads(http("GET", f"{base}/v2/team/app/tags/list")[2])["tags"]), ["v1", "v2"])
    names = json.loads(http("GET", f"{base}/v2/_catalog")[2])["repositories"]
    equal("catalogue", names, ["other", "team/app"])
    return "pulled by presigned URLs"


def deleted():
    manifest = images.pop("team/app:v1")
    status, *_ = http("DELETE", f"{base}/v2/team/app/manifests/{digest(manifest)}")
    equal("deleted", status, 202)


def collected():
    before = keys(BUCKET)
    registry("garbage-collect", "--delete-untagged", str(config))
    left = {key.split("/")[-2] for key in keys(BUCKET) if key.endswith("/data") and "/blobs/" in key}
    wanted = set()
    for manifest in images.values():
        known = json.loads(manifest)
        wanted |= {part["digest"] for part in [known["config"], *known["layers"]]} | {digest(manifest)}
    equal("blobs", left, {sum_.removeprefix("sha256:") for sum_ in wanted})
    return f"{len(before) - len(keys(BUCKET))} objects garbage collected"


def pulled_again():
    wait()
    for image in images:
        pull(image)
    return "the rest pulled again"


def all_of_it():
    s3.create_bucket(Bucket=BUCKET)
    with serving():
        notes = [pushed(), pulled()]
        deleted()
    # A collection wants a registry that takes no pushes.
    notes.append(collected())
    with serving():
        notes.append(pulled_again())
    return "; ".join(notes)


report("registry", version("REGISTRY"), all_of_it)
