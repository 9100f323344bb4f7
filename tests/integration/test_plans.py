"""Every plan, noise and option through REST and command line under the same names, with the same counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.conftest import CHECKOUT, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

BASE = {"model": "digits-cnn", "sigma": 0.25, "seed": 99}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"plan": "radii", "n": 2000, "radii": [0, 0.3]},
        {"plan": "precision", "pilot": 100, "n": 2000, "tolerance": 0.1},
        {"plan": "open", "n": 500, "radius": 0.1},
        {"plan": "fixed", "n": 300, "bound": "two-sided"},
        {"plan": "fixed", "n": 300, "top_k": 2},
        {"plan": "fixed", "n": 300, "votes": "soft", "mean_bound": "bernstein"},
        {"noise": "laplace", "norm": "l1", "n": 1000},
        {"noise": "splitting"},
        {"plan": "predict", "n": 200},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values()) or "default",
)
def test_rest_and_command_line_agree(service: Service, options: dict[str, Any]) -> None:
    """The same names give the same certificates to the last bit, over HTTP and in one process."""
    job = service.client.submit({**BASE, **options, "dataset": "digits", "limit": 4})
    ended = service.client.wait(job["id"], timeout_seconds=120)
    assert ended["status"] == "succeeded", ended["error"]
    arguments = []
    for name, value in {**BASE, **options}.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        arguments += [] if name == "model" else [f"--{name.replace('_', '-')}={text}"]
    command = [sys.executable, "-m", "certd", "certify", "digits-cnn", "digits", "--limit=4", "--json"]
    done = subprocess.run([*command, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["certificates"] == service.client.certificates(job["id"])


def test_an_estimate_comes_before_anything_is_spent(service: Service) -> None:
    """Draws, seconds and the largest radius; settings that cannot certify are refused as on submission."""
    request = {**BASE, "plan": "fixed", "n": 1000, "num_images": 50}
    answer = httpx.post(f"{service.url}/v1/estimate", json=request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["draws_at_most"] == 50 * 1100
    assert answer.json()["largest_radius"] == pytest.approx(0.25 * 2.463263, abs=1e-6)
    refused = httpx.post(f"{service.url}/v1/estimate", json={**request, "n": 5})
    assert refused.status_code == 422
    assert refused.json()["code"] == "cannot-certify"


def test_a_worker_killed_in_mid_plan_is_gone_on_from(tmp_path: Path) -> None:
    """A shard of many rounds resumes from its checkpoint, and ends as if nothing had happened."""
    request = {**BASE, "plan": "fixed", "n": 500_000, "dataset": "digits", "limit": 1}
    with running(tmp_path / "undisturbed") as service:
        job = service.client.submit(request)
        service.client.wait(job["id"], timeout_seconds=600)
        undisturbed = service.client.certificates(job["id"])
    with running(tmp_path / "killed") as service:
        job = service.client.submit(request)
        checkpoints = tmp_path / "killed" / "jobs" / job["id"] / "checkpoints"
        service.wait_until(lambda: any(checkpoints.glob("0*.json")))
        os.kill(service.worker_pids()[0], signal.SIGKILL)
        service.client.wait(job["id"], timeout_seconds=600)
        assert service.client.certificates(job["id"]) == undisturbed
        (certified,) = service.events("shard_certified")
        assert certified["attempt"] == 2
        assert int(str(certified["drawn"])) < 500_100
        assert not any(checkpoints.glob("0*.json"))


def test_verify_finds_an_honest_run_honest_and_a_forged_one_forged(tmp_path: Path) -> None:
    """`certd verify` exits 0 on a run as it was made, and 1 on one whose seed was changed."""
    certd = [sys.executable, "-m", "certd"]
    run = tmp_path / "run.parquet"
    options = ["--sigma=0.25", "--plan=fixed", "--n=200", "--limit=4", "--seed=3", f"--out={run}"]
    subprocess.run([*certd, "certify", "digits-cnn", "digits", *options], cwd=CHECKOUT, check=True)
    honest = subprocess.run(
        [*certd, "verify", str(run)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert (honest.returncode, honest.stdout) == (0, "4 of 4 images drawn again; every count agrees.\n")
    _forge_seed(run)
    forged = subprocess.run(
        [*certd, "verify", str(run)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert forged.returncode == 1
    assert forged.stdout.startswith("DIFFERS: image ")
    assert "estimation draws, class " in forged.stdout


def _forge_seed(file: Path) -> None:
    from certd.smoothing import read_run, write_run  # noqa: PLC0415

    with file.open("rb") as stream:
        run = read_run(stream)
    certification = run.manifest.certification.model_copy(update={"seed": 4})
    manifest = run.manifest.model_copy(update={"certification": certification})
    with file.open("wb") as stream:
        write_run(stream, type(run)(manifest, run.certificates))


def test_a_job_s_report_comes_in_every_form(service: Service) -> None:
    """Certificates, figures, tables, manifest and comparison, over HTTP, with their media types."""
    asked = {
        "model": "digits-cnn",
        "sigma": 0.25,
        "plan": "fixed",
        "n": 200,
        "dataset": "digits",
        "limit": 12,
    }
    jobs = [service.client.submit({**asked, "seed": seed})["id"] for seed in (1, 2)]
    for job in jobs:
        assert service.client.wait(job)["status"] == "succeeded"
    base = f"/v1/jobs/{jobs[0]}"
    with httpx.Client(base_url=service.url) as http:
        for form, begin in (
            ("csv", b"image_id"), ("ndjson", b'{"image_id"'), ("tsv", b"idx\t"), ("parquet", b"PAR1"),
        ):  # fmt: skip
            assert http.get(f"{base}/certificates?format={form}").content.startswith(begin)
        arrow = http.get(f"{base}/certificates", headers={"Accept": "application/vnd.apache.arrow.stream"})
        assert arrow.headers["content-type"] == "application/vnd.apache.arrow.stream"
        for form, begin in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("json", b"{")):
            for _ in range(2):  # rendered, then read back
                assert http.get(f"{base}/report/figures/pa-histogram.{form}").content.startswith(begin)
        for form, held in (("md", "| ---"), ("tex", "toprule"), ("csv", "model,sigma")):
            assert held in http.get(f"{base}/report/tables/results.{form}").text
        assert http.get(f"{base}/manifest").json()["num_images"] == 12
        found = http.get("/v1/compare", params={"job": jobs}).json()
        assert found["against_first"][0]["mcnemar"][0]["radius"] == 0
        assert "<svg" in http.get("/v1/compare.html", params={"job": jobs}).text
        for path, status in (
            (f"{base}/report/figures/nope.svg", 404),
            (f"{base}/report/figures/pa-histogram.exe", 422),
            (f"{base}/report/tables/..%2f..%2fjob.md", 404),
            (f"/v1/compare?job={jobs[0]}", 422),
        ):
            refused = http.get(path)
            assert refused.status_code == status, path
            assert refused.headers["content-type"] == "application/problem+json"
