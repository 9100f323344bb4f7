"""Both clients against a running service: the same results as in this process."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

import pytest

import certd
from certd.async_client import AsyncClient
from certd.datasets import load_dataset
from certd.errors import InvalidRequest, ModelError
from certd.reports import summarize
from certd.smoothing import write_run
from tests.integration.conftest import running
from tests.integration.test_failing_models import failing_model

if TYPE_CHECKING:
    from pathlib import Path

    from certd.smoothing import Run
    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

# The service settles on one batch size for a job; a local run is told the same one.
OPTIONS: dict[str, Any] = {"plan": "fixed", "n0": 50, "n": 1000, "seed": 11, "batch_size": 64}
DIGITS = load_dataset("digits").select(limit=12)


def _counts(run: Run) -> list[tuple[int, list[list[int]]]]:
    return [
        (c.record.image_id, [c.record.tallies[phase].counts.tolist() for phase in sorted(c.record.tallies)])
        for c in run.certificates
    ]


@pytest.fixture(scope="module")
def local() -> Run:
    """Certify in this process."""
    return certd.certify("digits-cnn", DIGITS.images, DIGITS.labels, sigma=0.25, **OPTIONS)


def test_a_run_of_the_service_is_a_local_run(service: Service, local: Run) -> None:
    """One call, one kind of result: the same counts, the same conclusions, taken by the same report."""
    run = service.client.certify("digits-cnn", DIGITS.images, DIGITS.labels, sigma=0.25, **OPTIONS)
    assert _counts(run) == _counts(local)
    assert [c.conclusion for c in run.certificates] == [c.conclusion for c in local.certificates]
    ours, theirs = summarize(local), summarize(run)
    assert ours["average_certified_radius"] == theirs["average_certified_radius"]
    write_run(io.BytesIO(), run)


def test_the_asynchronous_client_returns_the_same(service: Service, local: Run) -> None:
    """Several at once, each the same as alone."""

    async def several() -> list[Run]:
        async with AsyncClient(service.url) as client:
            calls = [
                client.certify("digits-cnn", DIGITS.images, DIGITS.labels, sigma=0.25, **OPTIONS)
                for _ in range(3)
            ]
            return list(await asyncio.gather(*calls))

    assert [_counts(run) for run in asyncio.run(several())] == [_counts(local)] * 3


def test_progress_moves_and_ends(service: Service) -> None:
    """The images done never fall, and the last look is at the end."""
    job = service.client.submit({"model": "digits-cnn", "sigma": 0.25, "dataset": "digits", "limit": 60})
    looks = list(service.client.progress(job["id"]))
    done = [look["progress"]["images_done"] for look in looks]
    assert done == sorted(done)
    assert (looks[-1]["status"], done[-1]) == ("succeeded", 60)


def test_jobs_are_listed_past_the_first_page(service: Service) -> None:
    """Every job once, newest first, whatever the length of a page; by either client."""
    request = {"model": "digits-cnn", "sigma": 0.25, "dataset": "digits", "limit": 1, "n": 10, "n0": 1}
    made = [service.client.submit({**request, "tags": ["listed"]})["id"] for _ in range(5)]

    async def listed() -> list[str]:
        async with AsyncClient(service.url) as client:
            return [job["id"] async for job in client.jobs(tag="listed", page_size="2")]

    assert [job["id"] for job in service.client.jobs(tag="listed", page_size="2")] == made[::-1]
    assert asyncio.run(listed()) == made[::-1]


def test_cost_and_limits_are_asked_beforehand(service: Service) -> None:
    """As the REST interface tells them."""
    request = {"model": "digits-cnn", "sigma": 0.25, "num_images": 10, "plan": "fixed", "n0": 10, "n": 90}
    assert service.client.estimate(request)["draws_at_most"] == 1000
    assert service.client.limits()["max_images"] == 50_000


def test_what_ended_a_job_is_raised(tmp_path: Path) -> None:
    """A model that fails, and a request that is refused, each as the error that its code names."""
    registry = failing_model(tmp_path / "models")
    with running(tmp_path / "data", CERTD_MODELS=registry) as service:
        with pytest.raises(ModelError, match="NaN"):
            service.client.certify("broken", DIGITS.images, sigma=0.25, **OPTIONS)
        with pytest.raises(InvalidRequest, match="shape"):
            service.client.certify("digits-cnn", DIGITS.images[:, :, :4], sigma=0.25)
