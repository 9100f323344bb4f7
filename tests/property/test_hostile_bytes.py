"""Whatever bytes arrive, every parser of strangers' bytes answers or refuses: no crash, no hang, no bomb."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import struct
import tempfile
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.body import parsed, read_submission
from api.request_log import request_id_of
from api.services import Services
from certd.access import Caller, parse_token
from certd.access.key_file import read_keys
from certd.datasets import dataset_names
from certd.datasets.decoding import DecodingLimits, decode_image, read_npy, read_npz
from certd.jobs.request import JobRequest
from certd.models import model_names
from certd.settings import Settings
from tests.property.hostile import bombard

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

# Starlette leaves the file of a part that never ended to the garbage collector, which mentions it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*Spooled:pytest.PytestUnraisableExceptionWarning"
)

LIMITS = DecodingLimits()
PIXELS = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
OPTIONS = {"model": "digits-cnn", "dataset": "digits", "sigma": 0.25, "plan": "fixed", "n": 100, "seed": 7}
BOUNDARY = "frontier"


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def _picture(kind: str, mode: str) -> bytes:
    return _saved(lambda stream: Image.fromarray(PIXELS).convert(mode).save(stream, kind))


def _part(name: str, content: bytes, extra: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + content + b"\r\n"


NPY = [
    _saved(lambda stream: np.save(stream, PIXELS[None])),
    _saved(lambda stream: np.save(stream, np.asfortranarray(PIXELS[None]))),
]
NPZ = [
    _saved(lambda stream: np.savez(stream, images=PIXELS[None], labels=np.array([1]))),
    _saved(lambda stream: np.savez_compressed(stream, images=PIXELS[None], labels=np.array([1]))),
]
REQUESTS = [json.dumps(OPTIONS).encode(), json.dumps({**OPTIONS, "indices": [1, 2], "labels": [3]}).encode()]
FORMS = [
    _part("request", REQUESTS[0])
    + _part("images", _picture("PNG", "L"), '; filename="3.png"')
    + b"--frontier--\r\n"
]
TOKENS = [b"certd_0123456789ab_" + b"z" * 52, b"certd_zzzzzzzzzzzz_" + b"0" * 52]
IDS = [b"req_0123", b"a" * 64, b"trace-1.2_3"]
MODELS = [
    b"# March\nmy-model:\n  uri: w.pth\n  sha256: "
    + b"a" * 64
    + b"\n  architecture: lenet\n  num_classes: 10\n"
    b"  input_shape: [1, 28, 28]\n  mean: [0.0]\n  std: [1.0]\n"
]
DATASETS = [
    b"cifar10-test:\n  uri: torchvision:cifar10?root=/data&split=test\n  description: &d x\nb: {uri: *d}\n"
]
KEYS = [
    b'[{"id": "0123456789ab", "owner": "alice", "scopes": ["read"], "sha256": "' + b"0" * 64 + b'",'
    b' "created_at": "2026-01-01T00:00:00Z"}]'
]


def _file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return a parser of bytes that reads them from a file."""
    path = Path(tempfile.mkdtemp()) / "file"

    def parse(data: bytes) -> object:
        path.write_bytes(data)
        path.chmod(0o600)
        return read(path)

    return parse


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG with the checksum of each chunk put right, so that what is spoilt inside is looked at."""
    mended, position = bytearray(data[:8]), 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = min(position + 8 + length, len(data) - 4)
        body = data[position + 4 : end]
        mended += struct.pack(">I", max(0, len(body) - 4)) + body + struct.pack(">I", zlib.crc32(body))
        position = end + 4
    return bytes(mended)


def _form(data: bytes) -> None:
    """Read a multipart body as the service does; 415 and its kind are answers too."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/jobs",
        "headers": [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())],
        "state": {"caller": Caller.local()},
    }

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    async def read() -> None:
        async with read_submission(Request(scope, receive), _services()) as submission:
            assert submission.request.model

    with contextlib.suppress(HTTPException):
        asyncio.run(read())


def _services() -> Services:
    if not _MADE:
        folder = Path(tempfile.mkdtemp())
        _MADE.append(Services.connect(Settings(data_dir=folder), f"unix://{folder}/nobody.sock"))
    return _MADE[0]


_MADE: list[Services] = []

PARSERS: dict[str, tuple[Callable[[bytes], object], list[bytes], int]] = {
    "npy": (lambda data: read_npy(data, "file", LIMITS), NPY, 25_000),
    "npz": (lambda data: read_npz(data, "file", LIMITS), NPZ, 12_000),
    "png": (
        lambda data: decode_image(data, "file", LIMITS),
        [_picture("PNG", m) for m in ("RGB", "P", "1", "LA")],
        8_000,
    ),
    "png with checksums": (
        lambda data: decode_image(_with_checksums(data), "file", LIMITS),
        [_picture("PNG", m) for m in ("RGB", "P", "1", "LA")],
        20_000,
    ),
    "jpeg": (
        lambda data: decode_image(data, "file", LIMITS),
        [_picture("JPEG", m) for m in ("RGB", "L")],
        6_000,
    ),
    "webp": (
        lambda data: decode_image(data, "file", LIMITS),
        [_picture("WEBP", m) for m in ("RGB", "RGBA")],
        5_000,
    ),
    "request": (partial(parsed, JobRequest), REQUESTS, 14_000),
    "multipart": (_form, FORMS, 4_000),
    "key": (lambda data: parse_token(data.decode("latin-1")), TOKENS, 14_000),
    "request id": (lambda data: request_id_of(data.decode("latin-1")), IDS, 5_000),
    "key file": (_file(read_keys), KEYS, 5_000),
    "models.yaml": (_file(lambda path: model_names(registry=path)), MODELS, 1_000),
    "datasets.yaml": (_file(lambda path: dataset_names(registry=path)), DATASETS, 1_000),
}


@pytest.mark.parametrize("name", PARSERS)
def test_spoilt_bytes_are_answered(name: str) -> None:
    """A parser returns or raises an error of ours, soon, and within some hundred megabytes."""
    parse, originals, cases = PARSERS[name]
    for original in originals:
        parse(original)
    bombard(parse, originals, cases // 200)


@pytest.mark.slow
def test_a_hundred_thousand_spoilt_files_are_answered() -> None:
    """The same, a hundred thousand times over all parsers, from another seed."""
    assert sum(cases for _, _, cases in PARSERS.values()) >= 100_000
    refused = {name: bombard(*PARSERS[name], seed=1) for name in PARSERS}
    strict = refused.keys() - {"key", "request id"}
    assert all(refused[name] > PARSERS[name][2] // 10 for name in strict), refused
