"""The client's manners, against a real HTTP server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from certd import exchange
from certd.async_client import AsyncClient
from certd.client import Client
from certd.errors import (
    CannotCertify,
    CertdError,
    Conflict,
    KeyReused,
    QuotaExceeded,
    Unauthorized,
    Unavailable,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

Answer = tuple[int, dict[str, str], Any] | None


class Server:
    """Gives one prepared answer after the other, the last one for ever; None hangs up without any."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def next(self) -> Answer:
        """Return the next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Serve on loopback; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            server.requests.append((self.command, self.path, dict(self.headers)))
            answer = server.next()
            if answer is None:
                self.connection.close()
                return
            status, headers, members = answer
            body = json.dumps(members).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment where the client would wait seconds."""
    monkeypatch.setattr(exchange, "RETRY_PAUSES", (0.0, 0.0, 0.0))


BUSY: Answer = (503, {"Retry-After": "0"}, {"code": "unavailable", "detail": "later"})
DONE: Answer = (202, {}, {"id": "job_1", "status": "queued"})


def test_a_submission_is_sent_again_under_one_key() -> None:
    """After a busy server, a hung-up line and a request in flight: every try carries the same key."""
    server = Server(BUSY, None, (409, {}, {"code": "conflict", "detail": "in flight"}), DONE)
    with serving(server) as url, Client(url) as client:
        assert client.submit({"model": "m"})["id"] == "job_1"
    keys = {headers["Idempotency-Key"] for _, _, headers in server.requests}
    assert len(server.requests) == 4
    assert len(keys) == 1


def test_two_submissions_have_two_keys() -> None:
    """A job that is asked for twice on purpose is two jobs."""
    server = Server(DONE)
    with serving(server) as url, Client(url) as client:
        client.submit({"model": "m"})
        client.submit({"model": "m"})
    assert len({headers["Idempotency-Key"] for _, _, headers in server.requests}) == 2


def test_a_second_look_is_sent_again_under_one_key() -> None:
    """It makes a job as a submission does, and its answer is lost as easily; by either client."""

    async def ask(url: str) -> None:
        async with AsyncClient(url) as client:
            await client.rerun("job_0")

    for clients in ("plain", "asynchronous"):
        server = Server(None, BUSY, DONE)
        with serving(server) as url, Client(url) as client:
            client.rerun("job_0") if clients == "plain" else asyncio.run(ask(url))
        assert len(server.requests) == 3
        assert len({headers.get("Idempotency-Key", "none") for _, _, headers in server.requests}) == 1
        assert "Idempotency-Key" in server.requests[0][2]


def test_a_refusal_is_raised_as_what_it_is_and_never_sent_again() -> None:
    """The class is that of the service, with pointer and details."""
    refusal: Answer = (
        422,
        {},
        {"code": "cannot-certify", "detail": "at least 10", "pointer": "/n", "least": 10},
    )
    server = Server(refusal)
    with (
        serving(server) as url,
        Client(url) as client,
        pytest.raises(CannotCertify, match="at least 10") as error,
    ):
        client.submit({"model": "m"})
    assert (error.value.pointer, error.value.details["least"]) == ("/n", 10)
    assert len(server.requests) == 1


def test_patience_ends() -> None:
    """A server that stays busy, or asks for minutes, is told as what it is; one that is gone likewise."""
    with serving(Server(BUSY)) as url, Client(url) as client, pytest.raises(Unavailable, match="later"):
        client.job("job_1")
    server = Server((429, {"Retry-After": "3600"}, {"code": "quota-exceeded", "detail": "tomorrow"}))
    with serving(server) as url, Client(url) as client, pytest.raises(Exception, match="tomorrow"):
        client.job("job_1")
    assert len(server.requests) == 1
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable, match="Is the server up"):
        client.job("job_1")


def test_a_conflict_is_not_sent_again_where_no_key_was() -> None:
    """Deleting a job that runs does not become right by insisting."""
    server = Server((409, {}, {"code": "conflict", "detail": "cancel first"}))
    with serving(server) as url, Client(url) as client, pytest.raises(Conflict, match="cancel first"):
        client.delete("job_1")
    assert len(server.requests) == 1


def test_waiting_leaves_the_clock_to_the_service() -> None:
    """Without a watcher one request is held until the job ends; a key is shown with every request."""
    server = Server(
        (200, {}, {"id": "job_1", "status": "running"}), (200, {}, {"id": "job_1", "status": "succeeded"})
    )
    with serving(server) as url, Client(url, key="certd_a_b") as client:
        assert client.wait("job_1")["status"] == "succeeded"
    assert [headers["Prefer"] for _, _, headers in server.requests] == ["wait=20", "wait=20"]
    assert {headers["Authorization"] for _, _, headers in server.requests} == {"Bearer certd_a_b"}


def test_a_watcher_is_told_at_every_look() -> None:
    """With one the client asks again and again, and nothing is held."""
    server = Server(
        (200, {}, {"id": "job_1", "status": "running"}), (200, {}, {"id": "job_1", "status": "canceled"})
    )
    seen: list[str] = []
    with serving(server) as url, Client(url) as client:
        client.wait("job_1", lambda job: seen.append(job["status"]))
    assert seen == ["running", "canceled"]
    assert all("Prefer" not in headers for _, _, headers in server.requests)


def test_no_answer_is_waited_for_longer_than_one_may_take() -> None:
    """The service is asked to answer well before the line would be given up; a short line is not held."""
    for timeout_seconds, asked in ((10, "wait=5"), (3, "wait=1"), (1, None)):
        server = Server(
            (200, {}, {"id": "job_1", "status": "running"}), (200, {}, {"id": "job_1", "status": "failed"})
        )
        with serving(server) as url, Client(url, timeout_seconds=timeout_seconds) as client:
            client.wait("job_1")
        assert [headers.get("Prefer") for _, _, headers in server.requests] == [asked, asked]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "unauthorized", Unauthorized),
        (422, "idempotency-key-reused", KeyReused),
        (429, "quota-exceeded", QuotaExceeded),
        (405, "method-not-allowed", CertdError),
    ],
)
def test_every_refusal_says_which_it_is(status: int, code: str, kind: type[CertdError]) -> None:
    """It has the class of its code; one without a class here keeps code, title and status."""
    refusal: Answer = (status, {"Retry-After": "60"}, {"code": code, "status": status, "title": "t"})
    with serving(Server(refusal)) as url, Client(url) as client, pytest.raises(kind) as error:
        client.job("job_1")
    assert (type(error.value), error.value.code, error.value.status) == (kind, code, status)


def test_an_answer_that_is_no_problem_document_keeps_its_status() -> None:
    """Such as a proxy gives, which knows nothing of problem documents."""
    with serving(Server((502, {}, []))) as url, Client(url) as client, pytest.raises(CertdError) as error:
        client.job("job_1")
    assert (error.value.code, error.value.status) == ("http-error", 502)


def test_both_clients_have_the_same_methods() -> None:
    """Under the same names, with the same parameters."""
    ours, theirs = (
        {name: method for name, method in vars(kind).items() if not name.startswith("_")}
        for kind in (Client, AsyncClient)
    )
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        expected, found = (inspect.signature(each).parameters for each in (method, theirs[name]))
        assert list(map(str, expected.values())) == list(map(str, found.values())), name


def test_a_wait_of_limited_length_ends() -> None:
    """The job goes on, and the message says so."""
    server = Server((200, {}, {"id": "job_1", "status": "running"}))
    with serving(server) as url, Client(url) as client, pytest.raises(Unavailable, match="it goes on"):
        client.wait("job_1", timeout_seconds=0.05)


def test_the_asynchronous_client_has_the_same_manners() -> None:
    """Keys, retries, refusals and long polls, without blocking."""

    async def talk(url: str) -> list[str]:
        async with AsyncClient(url, key="certd_a_b") as client:
            made = await client.submit({"model": "m"})
            seen = [job["status"] async for job in client.progress(made["id"])]
            return [*seen, (await client.wait(made["id"]))["status"]]

    ended: Answer = (200, {}, {"id": "job_1", "status": "failed"})
    server = Server(BUSY, None, DONE, (200, {}, {"id": "job_1", "status": "running"}), ended)
    with serving(server) as url:
        assert asyncio.run(talk(url)) == ["running", "failed", "failed"]
    keys = {headers["Idempotency-Key"] for method, _, headers in server.requests if method == "POST"}
    assert len(keys) == 1
    assert server.requests[-1][2]["Prefer"] == "wait=20"

    async def fail(url: str) -> None:
        async with AsyncClient(url) as client:
            await client.delete("job_1")

    busy = Server((409, {}, {"code": "conflict", "detail": "cancel first"}))
    with serving(busy) as url, pytest.raises(Conflict, match="cancel first"):
        asyncio.run(fail(url))
    with pytest.raises(Unreachable):
        asyncio.run(fail("http://127.0.0.1:9"))
