"""Workers that freeze, and jobs that share them: nothing is counted twice, and nothing waits in vain."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import REQUEST, running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

HEARTBEAT_SECONDS = 3.0
PATIENCE_SECONDS = 180.0


def test_a_worker_frozen_past_its_heartbeat_is_replaced_and_does_no_harm_when_it_thaws(
    tmp_path: Path,
) -> None:
    """Its shard is done by another; what it writes later is the same bytes."""
    request = {**REQUEST, "limit": 30, "n": 20_000}
    with running(tmp_path / "a") as service:
        job = service.client.submit(request)
        assert service.client.wait(job["id"], timeout_seconds=180)["status"] == "succeeded"
        undisturbed = service.client.certificates(job["id"])
    with running(tmp_path / "b", workers=2) as service:
        service.wait_for_workers(2)
        job = service.client.submit(request)
        service.wait_for_images(job["id"], 1)
        frozen = service.worker_pids()[0]
        os.kill(frozen, signal.SIGSTOP)
        thaw_at = time.monotonic() + 3 * HEARTBEAT_SECONDS
        service.wait_until(lambda: time.monotonic() > thaw_at)
        os.kill(frozen, signal.SIGCONT)
        ended = service.client.wait(job["id"], timeout_seconds=180)
        assert ended["status"] == "succeeded", ended["error"]
        assert ended["progress"]["images_done"] == 30
        assert service.client.certificates(job["id"]) == undisturbed


def test_a_small_job_does_not_wait_for_a_large_one(tmp_path: Path) -> None:
    """Its shards go before the queued ones of a job of minutes, of which at most one slips in."""
    with running(tmp_path, CERTD_HEARTBEAT_SECONDS="60") as service:
        large = service.client.submit({**REQUEST, "limit": 360, "n": 100_000})
        service.wait_for_images(large["id"], 1)
        small = service.client.submit({**REQUEST, "limit": 40, "n": 1000})
        assert service.client.wait(small["id"], timeout_seconds=PATIENCE_SECONDS)["status"] == "succeeded"
        shards = [str(event["job_id"]) for event in service.events("shard_certified")]
        first, last = shards.index(small["id"]), len(shards) - shards[::-1].index(small["id"])
        assert shards.count(small["id"]) > 3, "the job is too small to be held up between its shards"
        assert shards[first:last].count(large["id"]) <= 1, shards
        assert service.client.job(large["id"])["status"] == "running"
        service.client.cancel(large["id"])
        assert service.client.wait(large["id"], timeout_seconds=PATIENCE_SECONDS)["status"] == "canceled"


def test_small_jobs_without_end_do_not_hold_a_large_one_up_for_ever(tmp_path: Path) -> None:
    """While small ones still wait, shards of the large one are done now and then."""
    with running(tmp_path) as service:
        service.wait_for_workers(1)
        small = [service.client.submit({**REQUEST, "limit": 90, "n": 20_000}) for _ in range(6)]
        large = service.client.submit({**REQUEST, "limit": 360, "n": 100_000})

        def done(job: dict[str, Any]) -> int:
            return [event["job_id"] for event in service.events("shard_certified")].count(job["id"])

        service.wait_until(lambda: done(large) > 1, PATIENCE_SECONDS)
        left = [service.client.job(job["id"])["status"] in {"queued", "running"} for job in small]
        assert all(left), "the small ones did not last"
        for job in (*small, large):
            service.client.cancel(job["id"])


def test_two_large_jobs_share_the_workers(tmp_path: Path) -> None:
    """The second begins before the first has ended."""
    with running(tmp_path) as service:
        jobs = [service.client.submit({**REQUEST, "limit": 360, "n": 30_000, "seed": s}) for s in (1, 2)]
        service.wait_for_images(jobs[1]["id"], 1)
        assert service.client.job(jobs[0]["id"])["status"] == "running"
        for job in jobs:
            service.client.cancel(job["id"])
            assert service.client.wait(job["id"], timeout_seconds=PATIENCE_SECONDS)["status"] == "canceled"
