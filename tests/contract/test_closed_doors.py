"""Who gets in, what each owner sees, and what may be asked for: tried on the application as it is served."""

from __future__ import annotations

import asyncio
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api import quotas
from api.app import create_app
from api.services import Services
from certd.access import KeyStore, Scope
from certd.access.door import OPEN_PATHS
from certd.jobs import keys as redis_keys
from certd.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.integration

JOB = {"model": "digits-cnn", "dataset": "digits", "limit": 2, "sigma": 0.25, "plan": "fixed", "n": 100}


class House:
    """One service with keys: its application, and a client for each key."""

    def __init__(self, data_dir: Path, valkey_url: str, **settings: Any) -> None:
        self.settings = Settings(data_dir=data_dir, **settings)
        self.services = Services.connect(self.settings, valkey_url)
        self.app = create_app(self.services)
        self.store = KeyStore(self.settings.key_file)
        self.http = TestClient(self.app, raise_server_exceptions=False)

    def header(self, owner: str, *scopes: Scope, **options: Any) -> dict[str, str]:
        """Make a key and return the header that shows it."""
        _, token = self.store.create(owner, scopes or (Scope.READ, Scope.SUBMIT), **options)
        return {"Authorization": f"Bearer {token.text()}"}

    def submit(self, header: dict[str, str], **options: Any) -> httpx2.Response:
        """Submit the small job."""
        return self.http.post("/v1/jobs", json={**JOB, **options}, headers=header)

    def forget_quotas(self) -> None:
        """Forget what earlier tests have spent: the queue's server is shared."""
        for pattern in ("certd:quota:*", "certd:uploads:*"):
            for name in self.services.redis.scan_iter(pattern):
                self.services.redis.delete(name)

    def routes(self) -> list[tuple[str, str]]:
        """Return every method and path of the application, ids left as placeholders."""
        paths = self.app.openapi()["paths"]
        return [(method.upper(), path) for path, methods in paths.items() for method in methods]


@pytest.fixture
def house(tmp_path: Path, valkey_url: str) -> Iterator[House]:
    """Return a service over a real queue, without workers."""
    house = House(tmp_path, valkey_url)
    house.forget_quotas()
    with house.http:
        yield house


def _filled(path: str, job_id: str) -> str:
    """Return a path with its job named and every other placeholder filled with something plausible."""
    named = path.replace("{job_id}", job_id)
    query = f"?job={job_id}&job={job_id}" if "compare" in path else ""
    return re.sub(r"\{[a-z_]+\}", "svg", named) + query


def _without_ids(answer: httpx2.Response, job_id: str) -> tuple[int, str, dict[str, str]]:
    """Return what an answer tells apart from the id that was asked for."""
    headers = {n: v for n, v in answer.headers.items() if n not in {"x-request-id", "date"}}
    return answer.status_code, answer.text.replace(job_id, "ID"), headers


def test_every_route_but_the_probes_needs_a_key(house: House) -> None:
    """401 with a challenge, as a problem document, for routes that exist and those that do not."""
    house.header("alice")
    closed = [(method, path) for method, path in house.routes() if path not in OPEN_PATHS]
    assert len(closed) >= 8
    for method, path in [*closed, ("GET", "/v1/nothing"), ("PUT", "/"), ("GET", "/docs")]:
        answer = house.http.request(method, _filled(path, "job_x"))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer"), (method, path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "unauthorized"
    for path in OPEN_PATHS:
        assert house.http.get(path).status_code != 401


def test_a_refused_body_is_not_read(house: House) -> None:
    """Without a key not a byte of the body is taken from the network."""
    house.header("alice")
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        pytest.fail("the body was asked for")

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    for path in ("/v1/jobs", "/v1/estimate", "/v1/nothing"):
        scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"host", b"certd")]}
        asyncio.run(house.app({**scope, "query_string": b"", "root_path": ""}, receive, send))
    assert [message["status"] for message in sent if "status" in message] == [401] * 3


def test_a_missing_scope_answers_403(house: House) -> None:
    """A key to read does not submit, and a key to submit does not read; the scope is named."""
    reads, submits = house.header("alice", Scope.READ), house.header("alice", Scope.SUBMIT)
    refused = house.submit(reads)
    assert (refused.status_code, refused.json()["scope"]) == (403, "submit")
    assert house.http.get("/v1/jobs", headers=submits).status_code == 403
    assert house.http.get("/v1/jobs", headers=reads).status_code == 200
    assert house.submit(submits).status_code == 202


def test_a_revoked_key_is_out_at_its_next_request(house: House) -> None:
    """Revocation needs no restart."""
    header = house.header("alice")
    assert house.http.get("/v1/jobs", headers=header).status_code == 200
    house.store.revoke(house.store.entries()[0].id)
    answer = house.http.get("/v1/jobs", headers=header)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_two_headers_are_not_one_key(house: House) -> None:
    """A proxy and the service must not read different headers, so there may be one only."""
    header = house.header("alice")["Authorization"]
    answer = house.http.get("/v1/jobs", headers=[("Authorization", header), ("Authorization", "Bearer x")])
    assert answer.status_code == 401


def test_keys_that_cannot_be_read_let_nobody_in(house: House) -> None:
    """A damaged or writable key file answers 503 and does not say where it lies."""
    header = house.header("alice")
    house.settings.key_file.chmod(0o666)
    for shown in (header, {}):
        answer = house.http.get("/v1/jobs", headers=shown)
        assert answer.status_code == 503
        assert str(house.settings.data_dir) not in answer.text


def test_the_owner_stands_in_the_job(house: House) -> None:
    """A job is its maker's, whatever the request says."""
    job_id = house.submit(house.header("alice")).json()["id"]
    assert house.services.storage.read(job_id).owner == "alice"
    assert house.submit(house.header("bob"), owner="alice").status_code == 422


def test_another_s_job_is_as_absent_as_one_that_never_was(house: House) -> None:
    """On every route that names a job, status, headers and body are those of an unknown id."""
    alice, bob = house.header("alice"), house.header("bob")
    job_id = house.submit(alice).json()["id"]
    absent = job_id[:-1] + ("0" if job_id[-1] != "0" else "1")
    named = [(m, p) for m, p in house.routes() if "{job_id}" in p or "compare" in p]
    assert len(named) >= 4
    for method, path in named:
        theirs = house.http.request(method, _filled(path, job_id), headers=bob)
        nobodys = house.http.request(method, _filled(path, absent), headers=bob)
        assert theirs.status_code == 404, (method, path, theirs.text)
        assert _without_ids(theirs, job_id) == _without_ids(nobodys, absent), (method, path)
    assert house.http.get(f"/v1/jobs/{job_id}", headers=alice).status_code == 200


def test_another_s_upload_is_as_absent_as_one_that_never_was(house: House) -> None:
    """A job of bob's that names a file of alice's is told what it would be told of any id."""
    alice, bob = house.header("alice"), house.header("bob")
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 1, 8, 8), np.uint8))
    sent = house.http.post("/v1/uploads", content=stream.getvalue(), headers=alice).json()["id"]
    asked = {"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 100}
    absent = "upl_" + "0" * 32
    theirs = house.http.post("/v1/jobs", json={**asked, "upload": sent}, headers=bob)
    nobodys = house.http.post("/v1/jobs", json={**asked, "upload": absent}, headers=bob)
    assert theirs.status_code == 404
    assert _without_ids(theirs, sent) == _without_ids(nobodys, absent)
    assert house.http.post("/v1/jobs", json={**asked, "upload": sent}, headers=alice).status_code == 202


def test_an_upload_is_looked_at_and_deleted_by_its_owner(house: House) -> None:
    """Where ``Location`` leads, its owner finds it, and no other; once deleted it is gone for jobs too."""
    alice, bob = house.header("alice"), house.header("bob")
    sent = house.http.post("/v1/uploads", content=b"abc", headers=alice)
    where = sent.headers["location"]
    assert house.http.get(where, headers=alice).json() == sent.json()
    for method in ("GET", "DELETE"):
        theirs = house.http.request(method, where, headers=bob)
        nobodys = house.http.request(method, "/v1/uploads/upl_" + "0" * 32, headers=bob)
        assert theirs.status_code == nobodys.status_code == 404
    assert house.http.delete(where, headers=house.header("alice", Scope.READ)).status_code == 403
    assert house.http.delete(where, headers=alice).status_code == 204
    assert house.http.get(where, headers=alice).status_code == 404
    assert house.http.delete(where, headers=alice).status_code == 404
    assert [path for path in (house.settings.data_dir / "uploads").rglob("*") if path.is_file()] == []


def test_uploads_do_not_fill_the_disk(tmp_path: Path, valkey_url: str) -> None:
    """An owner holds as much as is allowed, small files a megabyte each; what is deleted makes room."""
    house = House(tmp_path, valkey_url, max_upload_bytes=5 * 2**20)
    house.forget_quotas()
    alice, bob = house.header("alice"), house.header("bob")

    def sent(header: dict[str, str], content: Any) -> httpx2.Response:
        return house.http.post("/v1/uploads", content=content, headers=header)

    small = [sent(alice, b"x") for _ in range(3)]
    assert sent(alice, bytes(2 * 2**20)).status_code == 201
    for content in (b"x", iter([b"x"])):
        refused = sent(alice, content)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota-exceeded")
        assert int(refused.headers["retry-after"]) > 5
    house.forget_quotas()
    assert sent(alice, b"x").status_code == 429, "read again from the store"
    assert sent(alice, bytes(6 * 2**20)).status_code == 413
    assert sent(bob, b"x").status_code == 201
    house.http.delete(small[0].headers["location"], headers=alice)
    assert sent(alice, b"x").status_code == 201
    assert sent(alice, b"x").status_code == 429


def test_an_upload_that_breaks_off_holds_nothing(tmp_path: Path, valkey_url: str) -> None:
    """Its room is given back with its bytes."""
    house = House(tmp_path, valkey_url, max_upload_bytes=3 * 2**20, max_body_bytes=2 * 2**20)
    house.forget_quotas()
    alice = house.header("alice")
    for _ in range(3):
        endless = iter([bytes(2**20)] * 4)
        assert house.http.post("/v1/uploads", content=endless, headers=alice).status_code == 413
    assert house.http.post("/v1/uploads", content=bytes(2 * 2**20), headers=alice).status_code == 201


def test_two_owners_may_use_one_idempotency_key(house: House) -> None:
    """The word is each owner's own: bob's request does not find alice's job."""
    key = {"Idempotency-Key": "nightly"}
    alice, bob = house.header("alice"), house.header("bob")
    first, second = (house.submit({**header, **key}).json()["id"] for header in (alice, bob))
    assert first != second
    assert house.submit({**alice, **key}).json()["id"] == first


def test_a_list_holds_the_caller_s_own_jobs(house: House) -> None:
    """Page by page alice finds hers, bob his, and a key of alice made later finds hers too."""
    alice, bob = house.header("alice"), house.header("bob")
    hers = {house.submit(alice).json()["id"] for _ in range(3)}
    his = {house.submit(bob).json()["id"]}
    assert _listed(house, alice) == _listed(house, house.header("alice", Scope.READ)) == hers
    assert _listed(house, bob) == his
    assert _listed(house, house.header("root", Scope.ADMIN)) == hers | his


def test_jobs_from_before_there_were_keys_are_the_admin_s(house: House) -> None:
    """They have no owner, so that no later key inherits them."""
    orphan = house.http.post("/v1/jobs", json=JOB).json()["id"]
    assert _listed(house, house.header("alice")) == set()
    assert _listed(house, house.header("root", Scope.ADMIN)) == {orphan}


def _listed(house: House, header: dict[str, str]) -> set[str]:
    found: set[str] = set()
    token: str | None = None
    while True:
        query = {"page_size": "2"} | ({"page_token": token} if token else {})
        page = house.http.get("/v1/jobs", params=query, headers=header).json()
        found |= {job["id"] for job in page["jobs"]}
        token = page["next_page_token"]
        if token is None:
            return found


def test_a_quota_counts_what_was_asked_for(house: House) -> None:
    """The job that does not fit answers 429 with the arithmetic and when the next day begins."""
    alice = house.header("alice", max_draws_per_day=2 * _draws(house))
    for _ in range(2):
        assert house.submit(alice).status_code == 202
    refused = house.submit(alice)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (429, "quota-exceeded")
    assert problem["draws_used"] + problem["draws_asked"] > problem["max_draws_per_day"]
    midnight = datetime.fromisoformat(problem["resets_at"])
    pause = int(refused.headers["retry-after"])
    assert abs(datetime.now(UTC) + timedelta(seconds=pause) - midnight) < timedelta(seconds=5)
    assert house.submit(house.header("bob")).status_code == 202


def test_keys_of_one_owner_share_a_quota(house: House) -> None:
    """Another key is no way round."""
    limit = _draws(house)
    assert house.submit(house.header("alice", max_draws_per_day=limit)).status_code == 202
    assert house.submit(house.header("alice", max_draws_per_day=limit)).status_code == 429


def test_a_lost_sum_is_read_again_from_the_jobs(house: House) -> None:
    """After the queue's server has lost everything, what was asked for today still counts."""
    alice = house.header("alice", max_draws_per_day=2 * _draws(house))
    house.submit(house.header("bob"))
    for _ in range(2):
        house.submit(alice)
    house.services.redis.flushall()
    assert house.submit(alice).status_code == 429


def test_a_job_that_is_refused_or_fails_is_not_charged(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is spent on what was not stored."""
    draws = _draws(house)
    alice = house.header("alice", max_draws_per_day=draws)
    assert house.submit(alice, n=9).status_code == 422

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(house.services.storage), "create", full)
        assert house.submit(alice).status_code == 500
    assert house.submit(alice).status_code == 202
    assert house.submit(alice, n=10**8).status_code == 413


def test_submissions_at_once_share_the_last_gap(tmp_path: Path, valkey_url: str) -> None:
    """Of twenty at the same time, on two API processes' connections, as many get in as there is room for."""
    houses = [House(tmp_path, valkey_url) for _ in range(2)]
    header = houses[0].header("carol", max_draws_per_day=5 * _draws(houses[0]))
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda i: houses[i % 2].submit(header).status_code, range(20)))
    assert sorted(codes) == [202] * 5 + [429] * 15


def _draws(house: House) -> int:
    """Return what the small job can cost."""
    owner = house.header("probe")
    job_id = house.submit(owner).json()["id"]
    return house.services.storage.read(job_id).max_draws


def test_a_full_service_says_when_to_come_back(
    tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many unfinished jobs as allowed, the next one answers 503 with Retry-After and both numbers."""
    monkeypatch.setattr(quotas, "RECOUNT_SECONDS", 0.0)
    house = House(tmp_path, valkey_url, max_unfinished_jobs=1)
    header = house.header("alice")
    assert house.submit(header).status_code == 202
    refused = house.submit(header)
    assert refused.status_code == 503
    assert refused.json()["unfinished_jobs"] == refused.json()["max_unfinished_jobs"] == 1
    assert int(refused.headers["retry-after"]) > 0


def test_a_key_is_not_in_redis(house: House) -> None:
    """What is kept in the queue's server names owners, and no secret."""
    header = house.header("alice", max_draws_per_day=10**6)
    house.submit(header)
    secret = header["Authorization"].rpartition("_")[2]
    redis = house.services.redis
    assert redis.exists(redis_keys.quota("alice", datetime.now(UTC).date()))
    for name in redis.scan_iter():
        assert secret not in str(name)
        if redis.type(name) == "string":
            assert secret not in str(redis.get(name))
    assert secret not in json.dumps([path.read_text() for path in house.settings.data_dir.glob("**/*.json")])


def test_a_sweep_is_charged_whole_when_it_is_submitted(tmp_path: Path, valkey_url: str) -> None:
    """Images times soups times noise levels times draws, at once: a sweep that does not fit leaves no job."""
    house = House(tmp_path, valkey_url, max_draws_per_day=10_000)
    house.forget_quotas()
    header = house.header("alice")
    sweep = {"ingredients": ["digits-cnn"], "dataset": "digits", "limit": 5, "n": 90, "n0": 10}
    with house.http:
        # One soup and the ensemble under two noise levels: 2 x 2 x 5 x 100 = 2000 draws.
        first = house.http.post("/v1/sweeps", json={**sweep, "sigmas": [0.25, 0.5]}, headers=header)
        assert first.status_code == 202, first.text
        assert first.json()["progress"]["draws_expected"] == 2000
        # 2 x 8 x 5 x 101 = 8080, of which 8000 are left.
        over = {**sweep, "n": 91, "sigmas": [0.1 * k for k in range(1, 9)]}
        refused = house.http.post("/v1/sweeps", json=over, headers=header)
        assert refused.status_code == 429, refused.text
        assert refused.json()["draws_used"] == 2000
        assert refused.json()["draws_asked"] == 8080
        for name in house.services.redis.scan_iter("certd:quota:*"):
            house.services.redis.delete(name)
        # What is forgotten is summed again from the folders, whole sweeps included.
        assert house.http.post("/v1/sweeps", json=over, headers=header).status_code == 429
        assert len(house.http.get("/v1/jobs", headers=header).json()["jobs"]) == 1
    house.forget_quotas()
