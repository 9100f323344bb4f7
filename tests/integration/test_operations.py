"""What an operator sees of a running service: one id through all logs, metrics, the doctor, and no secret."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from redis import Redis

from api.embedded import stack
from api.embedded.valkey import server_url
from certd.access import KeyStore, Scope
from certd.errors import Unavailable
from certd.settings import Settings
from tests.integration.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[2]
JOB = {"model": "digits-cnn", "dataset": "digits", "limit": 4, "sigma": 0.25, "plan": "fixed", "n": 400}


@pytest.fixture(scope="module")
def port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Service]:
    """Return a stack with keys whose worker serves metrics."""
    with running(tmp_path_factory.mktemp("operations"), CERTD_WORKER_METRICS_PORT=str(port)) as shared:
        yield shared


@pytest.fixture(scope="module")
def token(service: Service) -> str:
    """Return a key made while the service runs, as an operator does."""
    made = _certd(service, "keys", "create", "alice")
    return made.stdout.strip()


def _certd(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CERTD_DATA_DIR": str(service.log.parent), "COLUMNS": "200"}
    command = [sys.executable, "-m", "certd", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def _finished(service: Service, headers: dict[str, str]) -> str:
    """Submit the job, wait for its end, and return its id."""
    with httpx.Client(base_url=service.url, headers=headers) as http:
        job_id = str(http.post("/v1/jobs", json=JOB).json()["id"])
        service.wait_until(lambda: http.get(f"/v1/jobs/{job_id}").json()["status"] == "succeeded")
    return job_id


def test_one_id_leads_from_the_request_to_the_shard(service: Service, token: str) -> None:
    """The sender's id stands in the answer, in the job, in the API's line and in the worker's."""
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "trace-42"}
    job_id = _finished(service, headers)
    job = json.loads((service.log.parent / "jobs" / job_id / "job.json").read_text())
    assert (job["request_id"], job["owner"]) == ("trace-42", "alice")
    (shard,) = [e for e in service.events("shard_certified") if e["job_id"] == job_id]
    assert shard["request_id"] == "trace-42"
    submitted = [e for e in service.events("request_answered") if e["status"] == 202]
    assert submitted[-1]["request_id"] == "trace-42"
    assert submitted[-1]["key_id"] == token.split("_")[1]


def test_a_worker_counts_what_it_did(service: Service, token: str, port: int) -> None:
    """On its loopback port: four images, their draws, one batch size, one model loaded, and a pulse."""
    _finished(service, {"Authorization": f"Bearer {token}"})
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    values = dict(re.findall(r"^(certd_[^ ]+) (.+)$", text, re.MULTILINE))
    images = sum(float(v) for name, v in values.items() if name.startswith("certd_images_total"))
    assert images >= 4
    assert float(values["certd_noise_draws_total"]) >= 4 * 400
    assert float(values["certd_draws_per_second"]) > 0
    assert float(values["certd_batch_size"]) >= 1
    assert float(values['certd_model_load_seconds_count{step="load"}']) == 1
    assert float(values["certd_heartbeats_total"]) >= 1


def test_the_doctor_finds_a_running_stack_in_order(service: Service, token: str) -> None:
    """Nothing is broken; the queue's product, its safety and the worker are told."""
    done = _certd(service, "doctor", "--json")
    findings = {finding["part"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 0, done.stdout
    assert "Valkey" in findings["queue"]["detail"]
    for part in ("append-only", "eviction", "workers", "storage", "keys"):
        assert findings[part]["health"] == "ok", findings[part]


@pytest.mark.parametrize(("pause", "at_least", "at_most"), [("5", 100, 1e9), ("3000", 0, 40)])
def test_an_idle_worker_asks_as_often_as_it_is_told(
    tmp_path: Path, pause: str, at_least: float, at_most: float
) -> None:
    """Commands a second that reach the queue's server, over two seconds."""
    with running(tmp_path, CERTD_IDLE_MILLISECONDS=pause, CERTD_RECONCILE_SECONDS="60") as service:
        service.wait_for_workers(1)
        with Redis.from_url(server_url(tmp_path)) as redis:
            # The pauses grow from milliseconds, doubling, so they take a while to reach a long one.
            time.sleep(2 * int(pause) / 1000)
            counts, times = [], []
            for _ in range(2):
                counts.append(int(redis.info("stats")["total_commands_processed"]))
                times.append(time.monotonic())
                time.sleep(2.0)
    asked = (counts[1] - counts[0]) / (times[1] - times[0])
    assert at_least < asked < at_most


def test_no_secret_reaches_a_log(service: Service, token: str) -> None:
    """Right keys, wrong keys, keys in the wrong place: the log has their ids at most."""
    secret = token.rpartition("_")[2]
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    with httpx.Client(base_url=service.url) as http:
        for shown in (token, wrong, f"{token} {token}"):
            http.get("/v1/jobs", headers={"Authorization": f"Bearer {shown}"})
        http.get("/v1/jobs", headers={"Authorization": token, "Cookie": token})
        http.get("/v1/jobs", params={"key": token, "access_token": token})
        http.post(
            "/v1/jobs", headers={"Authorization": f"Bearer {token}"}, json={**JOB, "tag": 1, "n": token}
        )
    service.wait_until(lambda: len(service.events("request_answered")) >= 6)
    text = service.log.read_text()
    assert secret not in text
    assert secret[:20] not in text


def test_a_password_in_the_queue_s_address_is_not_printed(tmp_path: Path) -> None:
    """Neither the API nor the embedded stack repeats it when the server is away."""
    url = "redis://:hunter2@127.0.0.1:1/0"
    environment = {**os.environ, "CERTD_REDIS_URL": url, "CERTD_DATA_DIR": str(tmp_path), "CERTD_PORT": "0"}
    command = [sys.executable, "-m", "api"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert httpx.get(f"{address}/readyz").status_code == 503
        assert "certd_queue_up 0.0" in httpx.get(f"{address}/metrics").text
        process.terminate()
        rest, log = process.communicate(timeout=120)
    assert "queue_away" in log
    assert "hunter2" not in address + rest + log


def test_the_embedded_stack_does_not_print_it_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not come up is named without its password."""
    monkeypatch.setattr(stack, "START_SECONDS", 0.0)
    settings = Settings(data_dir=tmp_path, redis_url="redis://:hunter2@127.0.0.1:1/0")
    started = stack.EmbeddedStack(settings, 0)
    try:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as refusal:
            started.start()
    finally:
        started.stop()
    assert "hunter2" not in str(refusal.value)


def test_the_api_does_not_serve_other_machines_without_keys(tmp_path: Path) -> None:
    """It ends with status 2 and says how to make a key; with one it binds."""
    environment = {
        **os.environ,
        "CERTD_HOST": "0.0.0.0",  # noqa: S104
        "CERTD_PORT": "0",
        "CERTD_DATA_DIR": str(tmp_path),
        "CERTD_REDIS_URL": f"unix://{tmp_path}/nobody.sock",
    }
    command = [sys.executable, "-m", "api"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "certd keys create" in done.stderr
    assert done.stdout == ""
    KeyStore(tmp_path / "keys.json").create("alice", [Scope.ADMIN])
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip().rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code == 401
        process.terminate()
