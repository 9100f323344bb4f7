"""Who gets into the dashboard, what each owner sees there, and which forms are taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.auth import SESSION_COOKIE
from api.dashboard.installation import routes
from api.dashboard.rendering import POLICY
from api.services import Services
from certd.access import KeyStore, Scope
from certd.access.session import SECRET_NAME
from certd.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.integration

PERSON = {"Accept": "text/html,application/xhtml+xml"}
JOB = {"model": "digits-cnn", "dataset": "digits", "limit": 2, "sigma": 0.25, "plan": "fixed", "n": 100}
NOBODY = "job_" + "0" * 26


class Office:
    """A service with keys, and a browser for each reader."""

    def __init__(self, data_dir: Path, valkey_url: str) -> None:
        self.services = Services.connect(Settings(data_dir=data_dir), valkey_url)
        self.app = create_app(self.services)
        self.store = KeyStore(self.services.settings.key_file)

    def browser(self, owner: str | None = None, *scopes: Scope) -> TestClient:
        """Return a browser; signed in with a fresh key of ``owner`` where there is one."""
        browser = TestClient(self.app, headers=PERSON, follow_redirects=False, raise_server_exceptions=False)
        if owner is not None:
            _, token = self.store.create(owner, scopes or (Scope.READ, Scope.SUBMIT))
            answer = browser.post("/sign-in", data={"key": token.text(), "next": "/submit"})
            assert answer.status_code == 303
            assert answer.headers["location"] == "/submit"
        return browser

    def submitted(self, browser: TestClient) -> str:
        """Submit a job through the form and return its id."""
        fields = {**{name: str(value) for name, value in JOB.items()}, "form_token": token_of(browser)}
        answer = browser.post("/submit", data=fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].rpartition("/")[2]


@pytest.fixture
def office(tmp_path: Path, valkey_url: str) -> Office:
    """Return a service over a real queue, without workers."""
    office = Office(tmp_path, valkey_url)
    for name in office.services.redis.scan_iter("certd:quota:*"):
        office.services.redis.delete(name)
    return office


def token_of(browser: TestClient) -> str:
    """Return the token that this browser's forms carry."""
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', browser.get("/submit").text)
    assert found
    return found[1]


def _filled(path: str, job_id: str) -> str:
    named = path.replace("{job_id}", job_id).replace("{image_id}", "0")
    return f"{named}?job={job_id}&job={job_id}" if path == "/compare" else named


def _forms() -> list[str]:
    return [path for method, path in routes() if method == "POST"]


def test_without_a_key_every_page_leads_to_the_door(office: Office) -> None:
    """A person is led to the sign-in and back; a form is refused; a program is told 401."""
    office.store.create("alice", (Scope.READ,))
    stranger = office.browser()
    assert len(list(routes())) >= 12
    for method, path in routes():
        target = _filled(path, NOBODY)
        answer = stranger.request(method, target)
        if method == "GET":
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/sign-in?next=%2F")
        else:
            assert answer.status_code == 401, path
        assert stranger.request(method, target, headers={"Accept": "*/*"}).status_code == 401


def test_a_key_of_no_worth_opens_nothing(office: Office) -> None:
    """A malformed key and one that was revoked get no cookie; the key is not repeated in the page."""
    key, token = office.store.create("alice", (Scope.READ,))
    office.store.revoke(key.id)
    for text in ("", "certd_x", token.text()):
        answer = office.browser().post("/sign-in", data={"key": text})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert not text or text not in answer.text


def test_the_cookie_is_out_of_reach_and_ends_with_the_key(office: Office) -> None:
    """No script and no other site's form can use it; a revoked key ends it at once."""
    alice = office.browser("alice")
    flags = alice.post("/sign-in", data={"key": office.store.create("a", (Scope.READ,))[1].text()})
    assert {"httponly", "samesite=lax"} <= set(flags.headers["set-cookie"].lower().split("; "))
    assert alice.get("/jobs").status_code == 200
    for key in office.store.entries():
        office.store.revoke(key.id)
    assert alice.get("/jobs").status_code == 303


def test_a_forged_cookie_is_none(office: Office) -> None:
    """Each part of a cookie is under its MAC: key, end and MAC itself."""
    alice = office.browser("alice")
    other = office.store.create("bob", (Scope.ADMIN,))[0]
    good = alice.cookies[SESSION_COOKIE]
    key_id, until, mac = good.split(".")
    forged = [
        f"{other.id}.{until}.{mac}", f"{key_id}.{int(until) + 1}.{mac}", f"{key_id}.{until}.{mac[::-1]}",
        f"{key_id}.{until}.", "..", ".", "", "é", f"{key_id}.1.{mac}", good + "0", "x" * 5000,
    ]  # fmt: skip
    for cookie in forged:
        answer = office.browser().get("/jobs", headers={b"Cookie": f"{SESSION_COOKIE}={cookie}".encode()})
        assert answer.status_code == 303, cookie


def test_losing_the_secret_signs_everybody_out(office: Office) -> None:
    """A fresh process after a flushed queue accepts no old cookie, and nothing else happens."""
    alice = office.browser("alice")
    office.services.redis.delete(SECRET_NAME)
    again = TestClient(create_app(Services.connect(office.services.settings, _url(office))), headers=PERSON)
    answer = again.get("/jobs", headers={"Cookie": f"{SESSION_COOKIE}={alice.cookies[SESSION_COOKIE]}"},
                       follow_redirects=False)  # fmt: skip
    assert answer.status_code == 303


def _url(office: Office) -> str:
    options: dict[str, Any] = office.services.redis.connection_pool.connection_kwargs
    if "path" in options:
        return f"unix://{options['path']}"
    return f"redis://{options['host']}:{options['port']}"


def test_the_cookie_changes_nothing_through_the_interface(office: Office) -> None:
    """Programs show keys. What a browser sends by itself reads ``/v1`` and never writes it."""
    alice = office.browser("alice")
    job_id = office.submitted(alice)
    assert alice.get(f"/v1/jobs/{job_id}").status_code == 200
    for method, path in (
        ("POST", "/v1/jobs"),
        ("POST", f"/v1/jobs/{job_id}/cancel"),
        ("DELETE", f"/v1/jobs/{job_id}"),
    ):
        assert alice.request(method, path).status_code == 401, path


def test_a_form_of_another_site_is_refused(office: Office) -> None:
    """Without the token, with another session's, or from a foreign page, no form does anything."""
    alice, bob = office.browser("alice"), office.browser("bob")
    job_id = office.submitted(alice)
    stolen, own = token_of(bob), token_of(alice)
    for path in _forms():
        target = _filled(path, job_id)
        for fields in ({}, {"form_token": ""}, {"form_token": stolen}, {"form_token": "é"}):
            assert alice.post(target, data=fields).status_code == 403, path
        foreign = alice.post(target, data={"form_token": own}, headers={"Origin": "https://example.org"})
        assert foreign.status_code == 403, path
    assert alice.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"


def test_forms_are_guarded_without_keys_too(office: Office) -> None:
    """On a service that only this machine reaches, pages of other sites can still post to it."""
    local = office.browser()
    for path in _forms():
        assert local.post(_filled(path, NOBODY), data={}).status_code in {403, 404}, path
        foreign = local.post(_filled(path, NOBODY), data={"form_token": token_of(local)},
                             headers={"Origin": "https://example.org"})  # fmt: skip
        assert foreign.status_code == 403, path


def test_no_page_shows_another_owners_job(office: Office) -> None:
    """List, job, image, picture, comparison and every form answer as for a job that never was."""
    alice, bob = office.browser("alice"), office.browser("bob")
    job_id = office.submitted(alice)
    assert job_id in alice.get("/jobs").text
    assert job_id not in bob.get("/jobs").text + bob.get("/compare").text + bob.get("/workers").text
    token = token_of(bob)
    for method, path in routes():
        if "{job_id}" not in path and path != "/compare":
            continue
        data = {"form_token": token} if method == "POST" else None
        hidden = bob.request(method, _filled(path, job_id), data=data)
        absent = bob.request(method, _filled(path, NOBODY), data=data)
        assert hidden.status_code == absent.status_code == 404, path
        assert hidden.text.replace(job_id, "ID") == absent.text.replace(NOBODY, "ID"), path
    assert alice.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"


def test_a_second_look_is_taken_once_a_page(office: Office) -> None:
    """The button pressed twice makes one job; on a page that was opened anew it makes another."""
    alice = office.browser("alice")
    job_id = office.submitted(alice)
    alice.post(f"/jobs/{job_id}/cancel", data={"form_token": token_of(alice)})
    made = []
    for _ in range(2):
        form = alice.get(f"/jobs/{job_id}").text.partition(f'action="/jobs/{job_id}/rerun"')[2]
        fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', form.partition("</form>")[0]))
        made += [alice.post(f"/jobs/{job_id}/rerun", data=fields).headers["location"] for _ in range(2)]
    assert made[0] == made[1] != made[2] == made[3]


def test_a_key_for_reading_submits_nothing(office: Office) -> None:
    """The scope of the key is the scope of its session."""
    reader = office.browser("alice", Scope.READ)
    assert reader.post("/submit", data={"form_token": token_of(reader)}).status_code == 403
    assert reader.post("/sign-out").status_code == 303


def test_signing_in_leads_nowhere_else(office: Office) -> None:
    """The place to return to is a path of this service."""
    token = office.store.create("alice", (Scope.READ,))[1].text()
    for target in (
        "https://example.org",
        "//example.org",
        "/\\example.org",
        "javascript:alert(1)",
        "/\t/x",
        "",
    ):
        answer = office.browser().post("/sign-in", data={"key": token, "next": target})
        assert answer.headers["location"] == "/jobs", target


def test_every_page_carries_the_policy(office: Office) -> None:
    """No inline script, no foreign origin, no framing: on pages, refusals and the sign-in."""
    alice = office.browser("alice")
    job_id = office.submitted(alice)
    assert "unsafe" not in POLICY
    paths = ["/jobs", f"/jobs/{job_id}", "/submit", "/compare", "/workers", "/models", "/sign-in", "/nothing"]
    for path in paths:
        answer: httpx2.Response = alice.get(path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|javascript:", answer.text), path
        outside = re.findall(r'(?:src|href|action)="((?!/|#|\?)[^"]*)"', answer.text)
        assert outside == [], path


def test_what_a_stranger_wrote_is_printed_and_not_run(office: Office) -> None:
    """Whatever comes in a query or a form comes out as text."""
    alice = office.browser("alice")
    attack = '"><script>alert(1)</script>'
    token = token_of(alice)
    pages = [
        alice.get("/jobs", params={"tag": attack}),
        alice.get(f"/jobs/{attack}"),
        alice.get("/submit", params={"model": attack}),
        alice.get("/sign-in", params={"next": "/" + attack}),
        alice.post("/submit", data={"form_token": token, "model": attack, "sigma": attack, "tags": attack}),
    ]
    for page in pages:
        assert "<script>alert" not in page.text
