"""The life of a job over HTTP: sent twice, waited for, watched, canceled, deleted, expired."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from api.embedded.valkey import server_url
from certd.client import Client
from certd.datasets import open_dataset
from tests.integration.conftest import CHECKOUT, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

SMALL = {"model": "digits-cnn", "dataset": "digits", "limit": 2, "sigma": 0.25, "plan": "fixed", "n": 200}
LARGE = {**SMALL, "limit": 360, "n": 100_000}


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """Return a client without manners of its own."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def _events(response: httpx.Response) -> list[dict[str, str]]:
    """Return the events of a stream that was closed by its server."""
    found = []
    for block in response.text.split("\n\n"):
        members = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "event" in members:
            found.append(members)
    return found


def test_a_request_that_is_sent_twice_makes_one_job(http: httpx.Client) -> None:
    """The second answer is the first one's job, and says so; another request under the key is refused."""
    key = {"Idempotency-Key": str(uuid4())}
    first = http.post("/v1/jobs", json={**SMALL, "seed": 1}, headers=key)
    again = http.post("/v1/jobs", json={**SMALL, "seed": 1}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = http.post("/v1/jobs", json={**SMALL, "seed": 2}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    bad = http.post("/v1/jobs", json=SMALL, headers={"Idempotency-Key": "x" * 300})
    assert bad.status_code == 422


def test_a_refused_request_leaves_its_key_free(http: httpx.Client) -> None:
    """A mistake that was mended may go under the same key."""
    key = {"Idempotency-Key": str(uuid4())}
    assert http.post("/v1/jobs", json={**SMALL, "n": 5}, headers=key).status_code == 422
    assert http.post("/v1/jobs", json=SMALL, headers=key).status_code == 202


def test_many_at_once_under_one_key_make_one_job_in_two_processes(tmp_path: Path) -> None:
    """Twenty requests at once, half of them to another API process over the same storage: one job."""
    with running(tmp_path / "data") as service:
        environment = {
            **os.environ,
            "CERTD_DATA_DIR": str(tmp_path / "data"),
            "CERTD_REDIS_URL": server_url(tmp_path / "data"),
        }
        command = [sys.executable, "-m", "api", "--port", "0"]
        with subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as second:
            assert second.stdout is not None
            urls = [service.url, second.stdout.readline().strip()]
            try:
                _send_twenty(urls)
            finally:
                second.terminate()


def _send_twenty(urls: list[str]) -> None:
    key = {"Idempotency-Key": "one"}

    def send(number: int) -> httpx.Response:
        url = f"{urls[number % 2]}/v1/jobs"
        return httpx.post(url, json={**SMALL, "seed": 1}, headers=key, timeout=60)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    (made,) = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    for url in urls:
        with Client(url) as client:
            assert client.wait(made)["status"] == "succeeded"
        assert [job["id"] for job in httpx.get(f"{url}/v1/jobs").json()["jobs"]] == [made]


def test_small_work_is_answered_at_once_for_who_prefers_to_wait(http: httpx.Client) -> None:
    """200 with the certificates; long work is answered 202 after the time that was asked for."""
    done = http.post("/v1/jobs", json=SMALL, headers={"Prefer": "wait=30"})
    assert done.status_code == 200
    assert done.headers["Preference-Applied"] == "wait=30"
    assert len(done.json()["certificates"]) == 2
    assert done.json()["status"] == "succeeded"
    long = http.post("/v1/jobs", json=LARGE, headers={"Prefer": "respond-async, wait=1"})
    assert long.status_code == 202
    assert int(long.headers["Retry-After"]) >= 1
    assert http.post(f"{long.json()['links']['cancel']}").status_code == 200


def test_a_job_that_did_not_change_is_not_sent_again(http: httpx.Client) -> None:
    """304 for who knows its ETag, on the answer to the POST as on any later one."""
    job = http.post("/v1/jobs", json=SMALL, headers={"Prefer": "wait=30"}).json()
    url = job["links"]["self"]
    first = http.get(url)
    assert http.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert http.get(url, headers={"If-None-Match": f'"x", W/{first.headers["ETag"]}'}).status_code == 304
    assert http.get(url, headers={"If-None-Match": '"x"'}).status_code == 200


def test_jobs_are_found_by_what_they_are(http: httpx.Client) -> None:
    """By state, model, data set, tag and time; pages hold every job once."""
    tag = f"t-{uuid4().hex}"
    made = [
        http.post("/v1/jobs", json={**SMALL, "tags": [tag]}, headers={"Prefer": "wait=30"}).json()
        for _ in range(3)
    ]
    ids = [job["id"] for job in made]

    def found(**query: Any) -> list[str]:
        return [job["id"] for job in http.get("/v1/jobs", params=query).json()["jobs"]]

    assert found(tag=tag) == ids[::-1]
    assert found(tag=tag, status="succeeded", model="digits-cnn", dataset="digits") == ids[::-1]
    assert found(tag=tag, status="failed") == found(tag=tag, model="other") == []
    assert found(tag=tag, created_after=made[0]["created_at"]) == ids[:0:-1]
    page = http.get("/v1/jobs", params={"tag": tag, "page_size": 2}).json()
    rest = http.get(
        "/v1/jobs", params={"tag": tag, "page_size": 2, "page_token": page["next_page_token"]}
    ).json()
    assert [job["id"] for job in page["jobs"] + rest["jobs"]] == ids[::-1]
    assert http.get("/v1/jobs", params={"status": "lost"}).status_code == 422
    assert http.post("/v1/jobs", json={**SMALL, "tags": ["not a tag"]}).status_code == 422


def test_progress_is_told_as_it_happens_and_only_once(http: httpx.Client) -> None:
    """Events until the end; who comes again with the last id is told nothing twice."""
    job = http.post("/v1/jobs", json={**SMALL, "limit": 40, "n": 20_000}).json()
    first = http.get(job["links"]["events"])
    assert first.headers["content-type"].startswith("text/event-stream")
    told = _events(first)
    assert [event["event"] for event in told[:-1]] == ["progress"] * (len(told) - 1)
    assert told[-1]["event"] == "ended"
    draws = [json.loads(event["data"])["progress"]["draws_done"] for event in told]
    assert draws == sorted(draws)
    assert len(set(draws)) > 1, "progress moved"
    assert len({event["id"] for event in told}) == len(told)
    again = http.get(job["links"]["events"], headers={"Last-Event-ID": told[-1]["id"]})
    assert _events(again) == []
    middle = http.get(job["links"]["events"], headers={"Last-Event-ID": told[0]["id"]})
    assert [event["event"] for event in _events(middle)] == ["ended"]


def test_a_canceled_job_stops_in_mid_shard_and_keeps_what_is_finished(
    service: Service, http: httpx.Client
) -> None:
    """Within seconds, not after its millions of draws; a second cancel changes nothing; it can be deleted."""
    job = http.post("/v1/jobs", json=LARGE).json()
    service.wait_for_images(job["id"], 1)
    refused = http.delete(job["links"]["self"])
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert http.post(job["links"]["cancel"]).json()["status"] in {"canceling", "canceled"}
    ended = service.client.wait(job["id"], timeout_seconds=120)
    assert ended["status"] == "canceled"
    rows = service.client.certificates(job["id"])
    assert 0 < len(rows) < 360
    assert http.post(job["links"]["cancel"]).json()["status"] == "canceled"
    assert http.get(job["links"]["report"]).json()["images"]["requested"] == 360
    for _ in range(2):
        assert http.delete(job["links"]["self"]).status_code == 204
    gone = http.get(job["links"]["self"])
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")
    assert http.get(job["links"]["certificates"]).status_code == 410
    assert job["id"] not in [found["id"] for found in http.get("/v1/jobs").json()["jobs"]]


def test_a_job_that_no_worker_has_begun_is_canceled_at_once(tmp_path: Path) -> None:
    """Nobody need be there to stop it."""
    with running(tmp_path / "data") as service:
        os.kill(service.worker_pids()[0], 19)  # SIGSTOP: it is alive and does nothing
        job = service.client.submit(SMALL)
        answer = httpx.post(f"{service.url}{job['links']['cancel']}").json()
        os.kill(service.worker_pids()[0], 18)
        assert answer["status"] in {"canceling", "canceled"}
        assert service.client.wait(job["id"], timeout_seconds=120)["status"] == "canceled"


def test_ended_jobs_expire(tmp_path: Path) -> None:
    """A job is deleted some time after its end, and says that it was."""
    with running(tmp_path / "data", CERTD_EXPIRE_DAYS="0.00002") as service:
        job = service.client.wait(service.client.submit(SMALL)["id"])
        gone = threading.Event()

        def look() -> bool:
            answer = httpx.get(f"{service.url}{job['links']['self']}")
            if answer.status_code == 410:
                gone.set()
            return gone.is_set()

        service.wait_until(look)


def test_limits_are_told_before_anything_is_sent(http: httpx.Client) -> None:
    """The same numbers that refusals name."""
    limits = http.get("/v1/limits").json()
    assert limits["max_images"] == 50_000
    assert limits["max_wait_seconds"] == 60
    assert limits["max_draws"] == 10**11
    assert [dataset["name"] for dataset in http.get("/v1/datasets").json()["datasets"]] == [
        "digits",
        "digits-train",
    ]


def test_a_file_is_sent_once_and_certified_twice(http: httpx.Client) -> None:
    """Streamed to the service, named by jobs; the counts are those of the same file sent with the job."""
    stream = io.BytesIO()
    np.savez(stream, images=open_dataset("digits").images[:3], labels=np.array([0, 5, 0]))
    sent = http.post("/v1/uploads", params={"name": "mine.npz"}, content=stream.getvalue())
    assert sent.status_code == 201
    assert sent.json()["bytes"] == len(stream.getvalue())
    options = {"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 100, "seed": 1}
    wait = {"Prefer": "wait=30"}
    first, second = (
        http.post("/v1/jobs", json={**options, "upload": sent.json()["id"]}, headers=wait).json()
        for _ in range(2)
    )
    files = {"images": ("mine.npz", stream.getvalue(), "application/octet-stream")}
    third = http.post("/v1/jobs", data={"request": json.dumps(options)}, files=files, headers=wait).json()
    assert first["certificates"] == second["certificates"] == third["certificates"]
    assert http.post("/v1/jobs", json={**options, "upload": "upl_" + "0" * 32}).status_code == 404
    both = http.post("/v1/jobs", json={**options, "upload": sent.json()["id"], "dataset": "digits"})
    assert (both.status_code, both.json()["pointer"]) == (422, "/dataset")


def test_an_upload_that_is_too_large_leaves_nothing(tmp_path: Path) -> None:
    """It is refused while it streams, without a length in its header."""
    with running(tmp_path / "data", CERTD_MAX_BODY_BYTES="100000") as service:

        def chunks() -> Iterator[bytes]:
            for _ in range(200):
                yield bytes(1000)

        refused = httpx.post(f"{service.url}/v1/uploads", content=chunks())
        assert refused.status_code == 413
        assert list((tmp_path / "data" / "uploads").iterdir()) == []
