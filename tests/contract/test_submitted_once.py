"""One idempotency key makes one job, whatever goes away, dies or comes late in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from redis.exceptions import ConnectionError as RedisConnectionError

from api.app import create_app
from api.once import Stored, stored_once
from api.services import Services
from certd.access import Caller
from certd.errors import CertdError, Conflict
from certd.jobs import idempotency
from certd.settings import Settings
from tests.unit.test_jobs import _inputs, _job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from certd.jobs.job import Job

pytestmark = pytest.mark.integration

JOB = {"model": "digits-cnn", "dataset": "digits", "limit": 2, "sigma": 0.25, "plan": "fixed", "n": 100}
KEY = {"Idempotency-Key": "one"}


class Desk:
    """An API without a process, which takes what is sent under one key."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.http = TestClient(create_app(services), raise_server_exceptions=False)

    def store(self, meanwhile: Callable[[], object] = lambda: None) -> Stored:
        """Submit one small job; between its promise and its storing goes on what ``meanwhile`` does."""

        def create(job_id: str) -> Job:
            meanwhile()
            job = _job().model_copy(update={"id": job_id})
            self.services.storage.create(job, _inputs())
            return job

        return stored_once(self.services, Caller.local(), "one", lambda: "the same", create)


@pytest.fixture
def desk(tmp_path: Path, valkey_url: str) -> Iterator[Desk]:
    """Return a desk with nothing on it."""
    desk = Desk(Services.connect(Settings(data_dir=tmp_path), valkey_url))
    with desk.http:
        yield desk


def _forget_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "IN_FLIGHT_SECONDS", 0.0)


def test_a_queue_that_goes_away_once_the_job_is_stored_fails_no_submission(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is accepted, for the reconciler sends it; and sent again, it finds its job."""
    create, away = desk.services.storage.create, list[int]()

    def create_then_lose_the_queue(*parts: Any) -> None:
        create(*parts)
        away.append(1)

    def execute(*_: object, **__: object) -> Any:
        if away:
            raise RedisConnectionError("away")

    with monkeypatch.context() as patched:
        patched.setattr(desk.services.storage, "create", create_then_lose_the_queue)
        patched.setattr(desk.services.redis, "execute_command", execute)
        first = desk.http.post("/v1/jobs", json=JOB, headers=KEY)
    assert (first.status_code, first.json()["status"]) == (202, "queued")
    again = desk.http.post("/v1/jobs", json=JOB, headers=KEY)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert desk.services.storage.job_ids() == [first.json()["id"]]


def test_a_job_that_is_stored_keeps_its_promise(desk: Desk) -> None:
    """Whatever fails after that fails the answer, not the job."""
    storage = desk.services.storage

    def create(job_id: str) -> Job:
        storage.create(_job().model_copy(update={"id": job_id}), _inputs())
        raise RuntimeError("afterwards")

    with pytest.raises(RuntimeError):
        stored_once(desk.services, Caller.local(), "one", lambda: "the same", create)
    assert desk.store().replayed
    assert len(storage.job_ids()) == 1


def test_a_request_that_was_refused_leaves_its_key_free(desk: Desk) -> None:
    """Mended, it may be sent under the same key."""
    refused = desk.http.post("/v1/jobs", json={**JOB, "n": 1}, headers=KEY)
    assert refused.status_code == 422
    mended = desk.http.post("/v1/jobs", json=JOB, headers=KEY)
    assert (mended.status_code, "Idempotency-Replayed" in mended.headers) == (202, False)


def test_of_two_that_come_after_a_dead_one_one_makes_the_job(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found the promise of a process that died; the second finds that of the first."""
    idempotency.promise(desk.services.storage, None, "one", "the same", "job_of_the_dead")
    found_dead = idempotency._exists  # noqa: SLF001 - the moment between a look and what follows from it
    made: list[Stored] = []

    def look_while_another_comes(*question: Any) -> bool:
        answer = found_dead(*question)
        monkeypatch.setattr(idempotency, "_exists", found_dead)
        made.append(desk.store())
        return answer

    _forget_at_once(monkeypatch)
    monkeypatch.setattr(idempotency, "_exists", look_while_another_comes)
    assert desk.store().replayed
    assert desk.services.storage.job_ids() == [made[0].job.id]


def test_who_follows_a_request_that_ended_meanwhile_makes_no_second_job(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow first one writes its job between the look of the second and its promise; neither makes two."""
    found_dead = idempotency._exists  # noqa: SLF001 - the moment between a look and what follows from it
    first: list[str] = []

    def look_and_miss_it(*question: Any) -> bool:
        monkeypatch.setattr(idempotency, "_exists", found_dead)
        answer = found_dead(*question)
        desk.services.storage.create(_job().model_copy(update={"id": first[0]}), _inputs())
        return answer

    def while_nobody_is_done(job_id: str) -> Job:
        first.append(job_id)
        raise TimeoutError

    monkeypatch.setattr("api.once.withdraw", lambda *_: None)
    with pytest.raises(TimeoutError):
        stored_once(desk.services, Caller.local(), "one", lambda: "the same", while_nobody_is_done)
    _forget_at_once(monkeypatch)
    monkeypatch.setattr(idempotency, "_exists", look_and_miss_it)
    with pytest.raises(Conflict, match="ended just now"):
        desk.store()
    assert desk.store().job.id == first[0]
    assert desk.services.storage.job_ids() == first


def test_a_request_that_is_followed_while_it_writes_takes_its_job_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks for a follower before it writes, and after."""
    made: list[Stored] = []
    storage = desk.services.storage
    look = storage._require_promise  # noqa: SLF001 - the moment between a look and what follows from it

    def look_before_another_comes(job_id: str) -> None:
        look(job_id)
        monkeypatch.setattr(storage, "_require_promise", look)
        made.append(desk.store())

    _forget_at_once(monkeypatch)
    monkeypatch.setattr(storage, "_require_promise", look_before_another_comes)
    with pytest.raises(Conflict, match="took so long"):
        desk.store()
    assert storage.job_ids() == [made[0].job.id]


@pytest.mark.parametrize("fails", ["late", "not at all"])
def test_a_slow_first_request_gives_way_to_the_one_that_took_its_place(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Whether it comes to an end or not: it makes no second job, and takes no promise from the other."""
    made: list[Stored] = []

    def while_another_comes() -> None:
        made.append(desk.store())
        if fails == "late":
            raise Conflict("the slow one fails")

    _forget_at_once(monkeypatch)
    with pytest.raises(CertdError):
        desk.store(while_another_comes)
    assert not made[0].replayed
    assert desk.store().job.id == made[0].job.id
    assert desk.services.storage.job_ids() == [made[0].job.id]
