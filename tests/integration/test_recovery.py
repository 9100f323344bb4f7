"""Nothing is lost and nothing counted twice, whatever is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from api.embedded.valkey import server_url
from certd.jobs.workforce import Workforce
from certd.models.registry import BUILTIN_FOLDER
from tests.integration.conftest import CHECKOUT, REQUEST, SETTINGS, running
from tests.s3_server import new_bucket, s3_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration


def test_a_killed_worker_loses_nothing(tmp_path: Path, undisturbed: list[dict[str, Any]]) -> None:
    """SIGKILL of the only worker in mid-job: the job ends with the certificates of an undisturbed run."""
    with running(tmp_path) as service:
        job = service.client.submit(REQUEST)
        service.wait_for_images(job["id"], 1)
        os.kill(service.worker_pids()[0], signal.SIGKILL)
        assert service.finish(job["id"]) == undisturbed
        assert len(service.worker_pids()) == 2


def test_jobs_in_a_bucket_survive_as_those_in_a_folder_do(
    tmp_path: Path, undisturbed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real S3 protocol: SIGKILL of a worker and FLUSHALL in mid-job change no certificate."""
    with s3_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with running(tmp_path, workers=2, CERTD_STORAGE=new_bucket()) as service:
            job = service.client.submit(REQUEST)
            service.wait_for_images(job["id"], 1)
            os.kill(service.worker_pids()[0], signal.SIGKILL)
            with Redis.from_url(server_url(tmp_path)) as redis:
                redis.flushall()
            assert service.finish(job["id"]) == undisturbed
            assert service.client.report(job["id"])["images"]["finished"] == 60
            service.client.delete(job["id"])
            assert list(service.client.jobs()) == []
        assert not (tmp_path / "jobs").exists()


def test_a_flushed_queue_loses_nothing(tmp_path: Path, undisturbed: list[dict[str, Any]]) -> None:
    """FLUSHALL in mid-job: progress is read again from the folder, and what is missing is sent again."""
    with running(tmp_path) as service:
        job = service.client.submit(REQUEST)
        service.wait_for_images(job["id"], 1)
        with Redis.from_url(server_url(tmp_path)) as redis:
            redis.flushall()
            assert service.finish(job["id"]) == undisturbed
            ended = service.client.job(job["id"])["progress"]
            redis.flushall()
        assert service.client.job(job["id"])["progress"] == ended


def test_a_stopped_service_goes_on_where_it_was(tmp_path: Path, undisturbed: list[dict[str, Any]]) -> None:
    """SIGTERM in mid-job and a new start on the same folder: the job ends by itself, the same."""
    with running(tmp_path) as service:
        job = service.client.submit(REQUEST)
        service.wait_for_images(job["id"], 1)
    with running(tmp_path) as service:
        assert service.finish(job["id"]) == undisturbed


def test_a_killed_service_goes_on_where_it_was(tmp_path: Path, undisturbed: list[dict[str, Any]]) -> None:
    """SIGKILL of the whole stack's parent: the next start adopts or replaces the server and ends the job."""
    with running(tmp_path) as service:
        job = service.client.submit(REQUEST)
        service.wait_for_images(job["id"], 1)
        service.process.kill()
        service.process.wait()
    with running(tmp_path) as service:
        assert service.finish(job["id"]) == undisturbed


def test_a_stop_leaves_nothing_running(tmp_path: Path) -> None:
    """After SIGTERM neither server nor worker is left, and the command exits 0."""
    with running(tmp_path) as service:
        pids = service.worker_pids()
        with Redis.from_url(server_url(tmp_path)) as redis:
            pids.append(int(redis.info("server")["process_id"]))
    assert service.process.returncode == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_second_service_on_one_folder_is_refused(tmp_path: Path) -> None:
    """Two stacks never share a data folder: the second says so and exits 2."""
    with running(tmp_path):
        second = subprocess.run(
            [sys.executable, "-m", "api", "--embedded", "--port", "0"],
            cwd=CHECKOUT,
            env={**os.environ, **SETTINGS, "CERTD_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert second.returncode == 2
    assert "CERTD_DATA_DIR" in second.stderr


def test_an_input_that_kills_its_worker_ends_its_job(tmp_path: Path) -> None:
    """A shard whose worker dies each time is given up after the attempts allowed, with the evidence."""
    with running(tmp_path, CERTD_MAX_ATTEMPTS="2") as service:
        job = service.client.submit({**REQUEST, "limit": 1, "n": 100_000_000})
        for attempt in (1, 2):
            service.wait_for_workers(attempt)
            service.wait_until(lambda: service.client.job(job["id"])["progress"]["draws_done"] > 0)
            _wait_for_claim(service, tmp_path, job["id"])
            os.kill(service.worker_pids()[-1], signal.SIGKILL)
        ended = service.client.wait(job["id"], timeout_seconds=60)
    assert ended["status"] == "failed"
    assert ended["error"]["attempts"] == 2
    assert "failed 2 times" in ended["error"]["detail"]


def _wait_for_claim(service: Service, data_dir: Path, job_id: str) -> None:
    """Wait until the newest worker has the job's shard in hand."""
    with Redis.from_url(server_url(data_dir), decode_responses=True) as redis:
        workforce = Workforce(redis)
        newest = f'"pid": {service.worker_pids()[-1]}'
        started = [e for e in service.events("worker_started") if newest in f'"pid": {e["pid"]}']
        name = started[-1]["worker_id"]
        service.wait_until(
            lambda: any(w.worker_id == name and w.job_id == job_id for w in workforce.workers())
        )


def test_a_model_that_will_not_load_ends_its_job(tmp_path: Path) -> None:
    """Weights that were changed after registration end the job with the digests, and nothing is retried."""
    folder = tmp_path / "models"
    folder.mkdir()
    weights = folder / "copy.safetensors"
    shutil.copy(BUILTIN_FOLDER / "digits-cnn.safetensors", weights)
    sidecar = json.loads((BUILTIN_FOLDER / "digits-cnn.json").read_text())
    members = {**{k: v for k, v in sidecar.items() if k != "name"}, "uri": "copy.safetensors"}
    registry = folder / "models.yaml"
    registry.write_text(json.dumps({"copy": members}))
    with running(tmp_path / "data", CERTD_MODELS=str(registry)) as service:
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(bytes(content))
        job = service.client.submit({**REQUEST, "model": "copy"})
        ended = service.client.wait(job["id"], timeout_seconds=60)
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == "digest-mismatch"
