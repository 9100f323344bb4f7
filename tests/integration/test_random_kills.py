"""Rounds of random harm: whatever is killed, and whenever, every job ends as if nothing had been."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from api.embedded.valkey import server_url
from certd.jobs.job import Job
from certd.jobs.workforce import Workforce
from tests.integration.conftest import REQUEST, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

ROUNDS = 10
HARMS = ("worker", "workers", "server", "flush", "freeze")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """Serve with two workers, through all the rounds of harm; with the data folder."""
    data_dir = tmp_path_factory.mktemp("harmed")
    with running(data_dir, workers=2) as service:
        service.wait_for_workers(2)
        yield service, data_dir


def _living(service: Service) -> list[int]:
    """Return the processes of the workers that are there, the newest last."""
    return [pid for pid in service.worker_pids() if Path(f"/proc/{pid}").exists()]


def _harm(kind: str, service: Service, data_dir: Path) -> None:
    """Do one kind of harm; where no worker is left, or the server is away, enough is done already."""
    victims = _living(service)
    with suppress(ProcessLookupError, RedisError, IndexError):
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
    for pid in _living(service):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_random_harm_changes_no_certificate(
    number: int, stack: tuple[Service, Path], undisturbed: list[dict[str, Any]]
) -> None:
    """Three harms of random kind at random moments, drawn anew in each round, to one stack that goes on."""
    service, data_dir = stack
    chance = random.Random(number)  # noqa: S311 - to be repeated, not to be secret
    service.wait_until(lambda: len(_living(service)) == 2)
    job = _submitted(service)
    for kind in chance.choices(HARMS, k=3):
        pause = chance.uniform(0, 1.5)
        signal.sigtimedwait([], pause)
        _harm(kind, service, data_dir)
    signal.sigtimedwait([], 4.0 if number % 2 else 0.0)
    _thaw(service)
    assert service.finish(job["id"]) == undisturbed


def _submitted(service: Service) -> dict[str, Any]:
    """Submit the job, as soon as the server that the last round may have killed is back."""
    service.wait_until(service.client.ready)
    return service.client.submit(REQUEST)


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
        assert service.finish(job["id"]) == undisturbed
