"""One job through everything: HTTP, queue, worker, report; and the same counts whichever way it goes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from certd.datasets import load_dataset
from tests.integration.conftest import CHECKOUT, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

OPTIONS = {"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n0": 50, "n": 1000, "seed": 2**60 + 7}


def _certify(
    service: Service, request: dict[str, Any], files: list[tuple[str, bytes]]
) -> list[dict[str, Any]]:
    job = service.client.submit(request, files)
    ended = service.client.wait(job["id"], timeout_seconds=120)
    assert ended["status"] == "succeeded", ended["error"]
    return service.client.certificates(job["id"])


def _png_files(count: int) -> list[tuple[str, bytes]]:
    files = []
    for index, image in enumerate(load_dataset("digits").images[:count]):
        stream = io.BytesIO()
        Image.fromarray(image[0]).save(stream, format="PNG")
        files.append((f"{index}.png", stream.getvalue()))
    return files


@pytest.fixture(scope="module")
def from_dataset(service: Service) -> list[dict[str, Any]]:
    """Return the certificates of 20 digits that the service read itself."""
    return _certify(service, {**OPTIONS, "dataset": "digits", "limit": 20}, [])


def test_every_image_gets_its_row(from_dataset: list[dict[str, Any]]) -> None:
    """Twenty images, twenty rows in order, each with all its votes."""
    assert [row["image_id"] for row in from_dataset] == list(range(20))
    assert all(sum(row["estimation_counts"]) == 1000 for row in from_dataset)
    assert all(sum(row["selection_counts"]) == 50 for row in from_dataset)


def test_uploaded_files_get_the_same_counts(service: Service, from_dataset: list[dict[str, Any]]) -> None:
    """PNG files of the same digits, with labels sent beside them, are certified to the last bit alike."""
    labels = load_dataset("digits").labels
    assert labels is not None
    assert _certify(service, {**OPTIONS, "labels": labels[:20].tolist()}, _png_files(20)) == from_dataset


def test_an_uploaded_array_gets_the_same_counts(service: Service, from_dataset: list[dict[str, Any]]) -> None:
    """So is one .npz with images and labels."""
    digits = load_dataset("digits").select(limit=20)
    assert digits.labels is not None
    stream = io.BytesIO()
    np.savez(stream, images=digits.images, labels=digits.labels)
    assert _certify(service, OPTIONS, [("digits.npz", stream.getvalue())]) == from_dataset


def test_the_command_line_gets_the_same_counts(from_dataset: list[dict[str, Any]]) -> None:
    """`certd certify` in its own process, with no server, finds what the service found."""
    command = [sys.executable, "-m", "certd", "certify", "digits-cnn", "digits", "--limit", "20", "--json"]
    options = [f"--{name}={OPTIONS[name]}" for name in ("sigma", "plan", "n0", "n", "seed")]
    done = subprocess.run([*command, *options], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["certificates"] == from_dataset


def test_two_workers_get_the_same_counts(tmp_path: Path, from_dataset: list[dict[str, Any]]) -> None:
    """Two workers that share a job's shards find what one found."""
    with running(tmp_path, workers=2) as service:
        assert _certify(service, {**OPTIONS, "dataset": "digits", "limit": 20}, []) == from_dataset


def test_the_report_carries_what_its_numbers_rest_on(service: Service) -> None:
    """ACR stands beside sigma, n and alpha, and the manifest names model, seed and arithmetic."""
    job = service.client.submit({**OPTIONS, "dataset": "digits", "limit": 5})
    service.client.wait(job["id"], timeout_seconds=60)
    report = service.client.report(job["id"])
    acr = report["average_certified_radius"]
    assert (acr["sigma"], acr["n"], acr["alpha"]) == (0.25, 1000, 0.001)
    assert report["manifest"]["certification"]["seed"] == OPTIONS["seed"]
    assert report["manifest"]["certification"]["model"].startswith("digits-cnn@sha256:")
    assert report["manifest"]["execution"]["dtype"] == "float32"


def test_the_page_needs_nothing_from_elsewhere(service: Service) -> None:
    """The report's page loads no script, style, picture or font, and its policy forbids any."""
    job = service.client.submit({**OPTIONS, "dataset": "digits", "limit": 3})
    service.client.wait(job["id"], timeout_seconds=60)
    answer = httpx.get(f"{service.url}/v1/jobs/{job['id']}/report.html")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "http" not in answer.text.replace("http://www.w3.org/", "")


def test_certificates_come_as_csv(service: Service) -> None:
    """The CSV holds one line an image under the same names."""
    job = service.client.submit({**OPTIONS, "dataset": "digits", "limit": 3})
    service.client.wait(job["id"], timeout_seconds=60)
    answer = httpx.get(f"{service.url}/v1/jobs/{job['id']}/certificates?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.splitlines()
    assert lines[0].startswith("image_id,label,prediction,outcome,correct,radius")
    assert len(lines) == 4
