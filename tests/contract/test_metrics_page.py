"""The page about the metrics lists those that are exported, and labels cannot be made to grow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.services import Services
from certd.errors import ModelError
from certd.settings import Settings
from workers.metrics import WorkerMetrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry, Metric

pytestmark = pytest.mark.integration

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
Row = tuple[str, str, str, str]


def _documented(section: str) -> set[Row]:
    text = PAGE.read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \| ([a-z, ]*?) ?\| (.*) \|$", text, re.MULTILINE)
    return set(rows)


def _exported(families: Iterable[Metric]) -> set[Row]:
    return {_row(family) for family in families if not family.name.endswith("_created")}


def _row(family: Metric) -> Row:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
    return name, family.type, ", ".join(labels), family.documentation


def _families(registry: CollectorRegistry) -> list[Metric]:
    return list(registry.collect())


@pytest.fixture
def http(tmp_path: Path, valkey_url: str) -> TestClient:
    """Return a client of the application over a real queue."""
    services = Services.connect(Settings(data_dir=tmp_path), valkey_url)
    return TestClient(create_app(services), raise_server_exceptions=False)


def test_the_service_s_metrics_are_those_documented(http: TestClient) -> None:
    """Name, type, labels and meaning agree, and neither side has one more."""
    http.get("/v1/models")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert _exported(text_string_to_metric_families(answer.text)) == _documented("From the API")


def test_a_worker_s_metrics_are_those_documented() -> None:
    """The same for what a worker serves."""
    metrics = WorkerMetrics()
    metrics.attempt_failed(ModelError("It failed."), 3)
    with metrics.loading("load"):
        pass
    assert _exported(_families(metrics.registry)) == _documented("From a worker")


def test_jobs_are_counted_by_state(http: TestClient) -> None:
    """Two jobs wait, with all the draws they may cost, in two messages that grow older."""
    options = {"model": "digits-cnn", "dataset": "digits", "limit": 2, "sigma": 0.25, "plan": "fixed"}
    for _ in range(2):
        http.post("/v1/jobs", json={**options, "n0": 10, "n": 90})
    text = http.get("/metrics").text
    assert 'certd_jobs{state="queued"} 2.0' in text
    assert 'certd_jobs{state="failed"} 0.0' in text
    assert "certd_unfinished_draws 400.0" in text
    assert "certd_queue_up 1.0" in text


def test_without_the_queue_the_rest_is_still_told(tmp_path: Path) -> None:
    """A monitor learns from the answer that the queue is away; it gets no error."""
    services = Services.connect(Settings(data_dir=tmp_path), f"unix://{tmp_path}/nobody.sock")
    answer = TestClient(create_app(services)).get("/metrics")
    assert answer.status_code == 200
    assert "certd_queue_up 0.0" in answer.text
    assert "certd_jobs{" not in answer.text


def test_no_stranger_can_make_a_label(http: TestClient) -> None:
    """Unknown paths and methods share one label each, and ids are left out: memory stays bounded."""
    for i in range(5):
        http.get(f"/v1/nothing-{i}")
        http.request(f"BREW{i}", "/v1/models")
        http.get(f"/v1/jobs/job_{i:026d}")
    text = http.get("/metrics").text
    routes = set(re.findall(r'certd_http_requests_total\{method="([^"]+)",route="([^"]+)"', text))
    assert routes == {("GET", "unmatched"), ("other", "/v1/models"), ("GET", "/v1/jobs/{job_id}")}
