"""A mixture as an ordinary model: registered on the command line, certified by a worker, swept over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from typer.testing import CliRunner

from certd.cli import app
from certd.errors import CertdError
from certd.result import Result
from tests.integration.conftest import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def _certd(*arguments: str) -> str:
    """Run the command line in this process, which spares it importing torch each time."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


def test_a_mixture_is_served_like_any_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker, command line and a stored run mixed afterwards agree to the last bit; sweeps agree too."""
    models = tmp_path / "models.yaml"
    monkeypatch.setenv("CERTD_MODELS", str(models))
    parts = ["--standard=digits-cnn", "--robust=digits-cnn", "--weight=.8", "--standard-scale=2"]
    assert "smooth-then-mix: digits-cnn, smoothed" in _certd("models", "mix", "mixed", *parts)
    with pytest.raises(CertdError, match="weight of at least"):
        _certd("models", "mix", "low", *parts[:2], "--weight=.3")
    assert "mixture" in _certd("models", "list")
    request = {"model": "mixed", "dataset": "digits", "limit": 6, "sigma": 0.25, "n": 500, "seed": 8}
    with running(tmp_path / "service") as service:
        (view,) = [model for model in service.client.models() if model["name"] == "mixed"]
        assert view["mixture"]["weight"] == 0.8
        with pytest.raises(CertdError, match="needs margins"):
            service.client.submit({**request, "plan": "radii"})
        job = service.client.submit({**request, "mixture_bounds": "predicted"})
        assert job["certification"]["mixture_bounds"] == "predicted"
        assert service.client.wait(job["id"], timeout_seconds=120)["status"] == "succeeded"
        served = service.client.run(job["id"])
        with httpx.Client(base_url=f"{service.url}/v1/jobs/{job['id']}") as http:
            swept = http.get("/weights", params={"weight": [0.7, 0.9]}).raise_for_status().json()
            page = http.get("/weights.html").raise_for_status().text
            report = http.get("/report").raise_for_status().json()
            refused = http.get("/weights", params={"weight": 0.2})
        shown = httpx.get(f"{service.url}/jobs/{job['id']}").raise_for_status().text
    assert swept == served.weights((0.7, 0.9)).as_json()
    assert "Do not choose here" in page
    assert report["settings"]["mixture"] == "smooth-then-mix, weight 0.8"
    assert refused.status_code == 422
    assert f"/v1/jobs/{job['id']}/weights.html" in shown
    assert "smooth-then-mix, weight 0.8" in shown
    run, alone, later = (tmp_path / f"{name}.parquet" for name in ("run", "alone", "later"))
    options = ["--sigma=.25", "--n=500", "--seed=8", "--limit=6", "--plan=fixed"]
    bounds = "--mixture-bounds=predicted"
    _certd("certify", "mixed", "digits", *options, bounds, f"--out={run}")
    _certd("certify", "digits-cnn", "digits", *options, f"--out={alone}")
    _certd("mix", str(alone), "--mixture=mixed", bounds, f"--out={later}")
    rows = [[c.row() for c in each.certificates] for each in (served, Result.load(run), Result.load(later))]
    assert rows[0] == rows[1] == rows[2]
    assert "every count agrees" in _certd("verify", str(later), "--sample=2")
    assert json.loads(_certd("weights", str(later), "--weights=.7,.9", "--json")) == swept
    again = json.loads(_certd("recompute", str(run), "--weight=.95", "--json"))
    assert again["settings"]["mixture"] == "smooth-then-mix, weight 0.95"
