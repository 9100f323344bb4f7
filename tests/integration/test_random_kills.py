"""Rounds of random harm: whatever is killed, and whenever, every job ends as if nothing had been."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from api.embedded.valkey import server_url
from certd.jobs.job import Job
from certd.jobs.workforce import Workforce
from tests.integration.conftest import running
from tests.integration.test_recovery import REQUEST

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

ROUNDS = 10
HARMS = ("worker", "workers", "server", "flush", "freeze")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the certificates of the job when nothing happens to it."""
    with running(tmp_path_factory.mktemp("undisturbed")) as service:
        return _certificates(service, service.client.submit(REQUEST)["id"])


def _certificates(service: Service, job_id: str) -> list[dict[str, Any]]:
    ended = service.client.wait(job_id, timeout_seconds=180)
    assert ended["status"] == "succeeded", ended["error"]
    assert ended["progress"]["images_done"] == 60
    return service.client.certificates(job_id)


def _harm(kind: str, service: Service, data_dir: Path) -> None:
    """Do one kind of harm; a process that is gone already is harmed enough."""
    victims = service.worker_pids()[-2:]
    with suppress(ProcessLookupError, RedisError):
        match kind:
            case "worker":
                os.kill(victims[-1], signal.SIGKILL)
            case "workers":
                for victim in victims:
                    os.kill(victim, signal.SIGKILL)
            case "freeze":
                os.kill(victims[0], signal.SIGSTOP)
            case _:
                with Redis.from_url(server_url(data_dir)) as redis:
                    if kind == "flush":
                        redis.flushall()
                    else:
                        os.kill(int(redis.info("server")["process_id"]), signal.SIGKILL)


def _thaw(service: Service) -> None:
    for pid in service.worker_pids():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_random_harm_changes_no_certificate(
    number: int, tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    """Three harms of random kind at random moments, drawn anew in each round from its number."""
    chance = random.Random(number)  # noqa: S311 - to be repeated, not to be secret
    with running(tmp_path, workers=2) as service:
        service.wait_for_workers(2)
        job = service.client.submit(REQUEST)
        for kind in chance.choices(HARMS, k=3):
            pause = chance.uniform(0, 1.5)
            signal.sigtimedwait([], pause)
            _harm(kind, service, tmp_path)
        signal.sigtimedwait([], 4.0 if number % 2 else 0.0)
        _thaw(service)
        assert _certificates(service, job["id"]) == undisturbed


def test_a_worker_killed_at_the_last_shard_loses_nothing(
    tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    """The worker that has the last shard in hand dies: the one who picks it up ends the job."""
    with running(tmp_path) as service:
        job = service.client.submit(REQUEST)
        stored = Job.model_validate_json((tmp_path / "jobs" / job["id"] / "job.json").read_bytes())
        last = stored.shards[-1].index
        assert last > 1
        with Redis.from_url(server_url(tmp_path), decode_responses=True) as redis:
            workforce = Workforce(redis)
            service.wait_until(lambda: last in workforce.claims(job["id"]))
        os.kill(service.worker_pids()[-1], signal.SIGKILL)
        assert service.client.job(job["id"])["status"] == "running"
        assert _certificates(service, job["id"]) == undisturbed
