"""What a job has proved, over HTTP: pages of certificates, one image, a second look, and who works."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from certd.jobs.finished import FinishedRuns
from certd.jobs.storage import JobStorage
from certd.storage import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.smoothing.run import Run
    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

JOB = {"model": "digits-cnn", "dataset": "digits", "limit": 40, "sigma": 0.5, "plan": "fixed", "n": 500}


@pytest.fixture(scope="module")
def job_id(service: Service) -> str:
    """Return a job that has ended, with right, wrong and abstained images."""
    made: str = service.client.submit(JOB)["id"]
    assert service.client.wait(made)["status"] == "succeeded"
    return made


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """Return a client without manners of its own."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def _pages(http: httpx.Client, job_id: str, **query: Any) -> list[list[dict[str, Any]]]:
    pages, token = [], None
    while True:
        asked = query if token is None else {**query, "page_token": token}
        page = http.get(f"/v1/jobs/{job_id}/certificates", params=asked).raise_for_status().json()
        pages.append(page["certificates"])
        token = page["next_page_token"]
        if token is None:
            return pages


def test_pages_hold_every_image_once(http: httpx.Client, service: Service, job_id: str) -> None:
    """Whatever the size of a page, they add up to the job in its order, and so says the client."""
    whole = _pages(http, job_id)
    assert [row["image_id"] for row in whole[0]] == list(range(40))
    assert len(whole) == 1
    for size in (1, 7, 40):
        pages = _pages(http, job_id, page_size=size)
        assert max(map(len, pages)) == size
        assert list(chain(*pages)) == whole[0]
    assert service.client.certificates(job_id) == whole[0]


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"outcome": "abstained"}, lambda row: row["prediction"] is None),
        ({"outcome": "certified"}, lambda row: row["prediction"] is not None),
        ({"outcome": "right"}, lambda row: row["prediction"] == row["label"]),
        ({"outcome": "wrong"}, lambda row: row["prediction"] not in {None, row["label"]}),
        ({"radius_from": 0.3, "radius_to": 0.8}, lambda row: 0.3 <= row["radius"] <= 0.8),
        ({"label": 3}, lambda row: row["label"] == 3),
    ],
)
def test_conditions_choose_images(http: httpx.Client, job_id: str, query: Any, holds: Any) -> None:
    """Each condition keeps exactly the images that meet it, over pages too."""
    rows = _pages(http, job_id)[0]
    chosen = list(chain(*_pages(http, job_id, **query, page_size=3)))
    assert chosen == [row for row in rows if holds(row)]
    assert 0 < len(chosen) < len(rows)


@pytest.mark.parametrize(
    "query",
    [
        "outcome=maybe", "radius_from=-1", "radius_from=2&radius_to=1", "radius_from=nan", "page_size=0",
        "page_size=1000000", "page_token=x", "nothing=1", "format=csv&outcome=wrong",
        "format=parquet&page_size=3",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(http: httpx.Client, job_id: str, query: str) -> None:
    """A misspelt condition must not show all images, nor a file hold a part that looks like the whole."""
    answer = http.get(f"/v1/jobs/{job_id}/certificates?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_one_image_is_told_with_its_outlook(http: httpx.Client, job_id: str) -> None:
    """Its row is that of the list; at its own budget the outlook is the certificate."""
    for row in _pages(http, job_id)[0]:
        found = http.get(f"/v1/jobs/{job_id}/certificates/{row['image_id']}").json()
        assert found["certificate"] == row
        radii = [prospect["radius"] for prospect in found["prospects"]]
        assert radii[0] == row["radius"]
        assert radii == sorted(radii)
        assert (found["least_draws"] is None) == (radii[-1] == 0 and row["p_a_estimate"] <= 0.5)
    assert http.get(f"/v1/jobs/{job_id}/certificates/40").status_code == 404


def test_a_second_look_is_marked(http: httpx.Client, job_id: str) -> None:
    """The same question under another seed, tagged with the first one's id however often it is asked."""
    first = http.get(f"/v1/jobs/{job_id}").json()
    made = http.post(f"/v1/jobs/{job_id}/rerun")
    assert made.status_code == 202
    again = http.post(f"/v1/jobs/{made.json()['id']}/rerun").json()
    for view, parent in ((made.json(), job_id), (again, made.json()["id"])):
        assert view["tags"] == [f"rerun-of-{parent}"]
        assert {**view["certification"], "seed": 0} == {**first["certification"], "seed": 0}
    seeds = {view["certification"]["seed"] for view in (first, made.json(), again)}
    assert len(seeds) == 3


def test_uploaded_images_are_asked_again_too(http: httpx.Client, service: Service) -> None:
    """A re-run certifies the very pixels, labels and ids that were sent."""
    pixels = np.zeros((2, 1, 8, 8), np.uint8)
    pixels[1] = 200
    run = service.client.certify("digits-cnn", pixels, [0, 1], sigma=0.25, n=200, plan="fixed", tags=["up"])
    job_id = http.get("/v1/jobs?tag=up").json()["jobs"][0]["id"]
    again = service.client.run(service.client.wait(service.client.rerun(job_id)["id"])["id"])
    digests = [[one.record.image_sha256 for one in each.certificates] for each in (run, again)]
    assert digests[0] == digests[1]
    assert [one.record.label for one in again.certificates] == [0, 1]


def test_workers_and_queues_are_listed(http: httpx.Client) -> None:
    """The one worker of this service, and both queues."""
    found = http.get("/v1/workers").json()
    assert [worker["device"] for worker in found["workers"]] == ["cpu"]
    assert {queue["name"] for queue in found["queues"]} == {"high", "low"}


def test_a_finished_shard_is_read_once(
    service: Service, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers who page or poll cost a listing; a shard that comes is read, the others are not read again."""
    storage = JobStorage(FolderStore(service.log.parent))
    read: list[int] = []
    really = storage.read_shard

    def noted(name: str, index: int) -> Run:
        read.append(index)
        return really(name, index)

    monkeypatch.setattr(storage, "read_shard", noted)
    finished = storage.certified_shards(job_id)
    assert len(finished) > 1
    runs = FinishedRuns(storage)
    monkeypatch.setattr(storage, "certified_shards", lambda _: finished - {0})
    partial = runs.read(job_id)
    assert partial.find(0) is None
    assert partial.placed[0][0] == partial.starts[1] > 0
    monkeypatch.setattr(storage, "certified_shards", lambda _: finished)
    assert [place for place, _ in runs.read(job_id).placed] == list(range(40))
    assert sorted(read) == sorted(finished)
