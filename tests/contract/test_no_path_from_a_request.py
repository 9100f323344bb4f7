"""No path and no address that a request names is opened, whichever field it stands in."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.dashboard.installation import routes as dashboard_routes
from api.services import Services
from certd.jobs.request import EstimateRequest, JobRequest
from certd.jobs.sweep_request import CalibrationRequest, SweepRequest
from certd.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.integration

NEEDLE = "forbidden"
FORM = {"model": "digits-cnn", "dataset": "digits", "limit": "2", "sigma": "0.25", "plan": "fixed", "n": "x"}
GOOD = {"model": "digits-cnn", "dataset": "digits", "limit": 2, "sigma": 0.25, "plan": "fixed", "n": 100}
SWEEP = {"ingredients": ["digits-cnn"], "dataset": "digits", "limit": 2, "sigmas": [0.25], "n": 100}
TRAVERSALS = (
    f"../../../{NEEDLE}",
    f"..\\..\\{NEEDLE}",
    f"/{NEEDLE}",
    f"....//....//{NEEDLE}",
    f"%2e%2e%2f{NEEDLE}",
    f"..%252f{NEEDLE}",
    f"..%c0%af{NEEDLE}",
    f"~/{NEEDLE}",
    f"file:///{NEEDLE}",
    f"http://{NEEDLE}.example/x",
    f"\\\\{NEEDLE}.example\\share",
    f"npz:{NEEDLE}.npz",
    f"folder:../{NEEDLE}",
    f"torchvision:cifar10?root=/{NEEDLE}",
    f"py:{NEEDLE}:make",
    f"onnx:/{NEEDLE}.onnx",
    f"hf:{NEEDLE}",
    f"digits-cnn@sha256:../{NEEDLE}",
    f"digits\x00/{NEEDLE}",
    f"${{IFS}}{NEEDLE}",
    f"job_../../{NEEDLE}",
    f"job_{NEEDLE}/../../..",
    f"up_../{NEEDLE}",
    f"{NEEDLE}\ud800",
    f"{NEEDLE}/" + "x" * 5000,
    f"job_{NEEDLE}" + "x" * 300,
)
WATCHED = frozenset({"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.link",
                     "os.rmdir", "shutil.rmtree", "import", "socket.getaddrinfo", "socket.connect",
                     "subprocess.Popen", "os.exec", "exec", "pickle.find_class"})  # fmt: skip


class Watch:
    """What the interpreter was asked to open while it was on. An audit hook cannot be taken out again."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event in WATCHED and NEEDLE in repr(arguments):
            self.seen.append(f"{event} {arguments!r}"[:300])


@pytest.fixture(scope="module")
def watch() -> Watch:
    """Return the one hook of this module."""
    return Watch()


@pytest.fixture
def http(tmp_path: Path, valkey_url: str, watch: Watch) -> Iterator[TestClient]:
    """Return a client of the application, watched; afterwards nothing may have been opened."""
    services = Services.connect(Settings(data_dir=tmp_path), valkey_url)
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        client.post("/v1/jobs", json=GOOD)
        watch.seen.clear()
        watch.on = True
        yield client
        watch.on = False
    assert watch.seen == []
    assert NEEDLE not in json.dumps([str(path) for path in tmp_path.rglob("*")])


def _refused(answer: httpx2.Response) -> None:
    """Check that an answer is a refusal that says why, and no crash."""
    assert 400 <= answer.status_code < 500, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"


def _body(options: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON body that may hold half a surrogate pair."""
    return {"content": json.dumps(options), "headers": {"content-type": "application/json"}}


@pytest.mark.parametrize("field", sorted(JobRequest.model_fields))
def test_no_field_of_a_job_is_opened(http: TestClient, field: str) -> None:
    """Model, data set and every other option refuse each traversal."""
    for text in TRAVERSALS:
        _refused(http.post("/v1/jobs", **_body({**GOOD, field: text})))
        _refused(http.post("/v1/jobs", **_body({**GOOD, field: [text]})))


@pytest.mark.parametrize("field", sorted(EstimateRequest.model_fields))
def test_no_field_of_an_estimate_is_opened(http: TestClient, field: str) -> None:
    """An estimate looks at names as a job does."""
    for text in TRAVERSALS:
        _refused(http.post("/v1/estimate", **_body({"model": "digits-cnn", "sigma": 0.25, field: text})))


@pytest.mark.parametrize("field", sorted({*SweepRequest.model_fields, *CalibrationRequest.model_fields}))
def test_no_field_of_a_sweep_is_opened(http: TestClient, field: str) -> None:
    """Neither when it is submitted nor when it is priced, nor in the options of its calibration."""
    for text in TRAVERSALS:
        for value in (text, [text]):
            within = {"calibrate": {"dataset": "digits", field: value}}
            for asked in ({**SWEEP, field: value}, {**SWEEP, **within}):
                _refused(http.post("/v1/sweeps/estimate", **_body(asked)))
                _refused(http.post("/v1/sweeps", **_body(asked)))


def test_no_part_of_a_path_is_opened(http: TestClient) -> None:
    """Whatever stands in place of an id or a name in a route, encoded or not, is refused."""
    paths = http.get("/openapi.json").json()["paths"]
    templates = [(m.upper(), p) for p, methods in paths.items() for m in methods if "{" in p]
    assert templates
    for method, template in templates:
        for text in TRAVERSALS:
            sent = text.encode("utf-8", "surrogatepass")
            for encoded in {quote(sent, safe=""), quote(sent, safe="/:%")}:
                answer = http.request(method, re.sub(r"\{[a-z_]+\}", encoded, template))
                # A client that resolves ".." before it sends may have asked for the home page.
                if answer.url.path != "/jobs":
                    _refused(answer)


def test_no_part_of_the_path_of_a_page_is_opened(http: TestClient) -> None:
    """The same for the dashboard's pages, forms, pictures and static files."""
    pages = [(method, path) for method, path in dashboard_routes() if "{" in path]
    assert len(pages) >= 6
    for method, template in (*pages, ("GET", "/static/{name}"), ("HEAD", "/static/{name}")):
        for text in TRAVERSALS:
            sent = text.encode("utf-8", "surrogatepass")
            for encoded in {quote(sent, safe=""), quote(sent, safe="/:%")}:
                answer = http.request(method, re.sub(r"\{[a-z_]+\}", encoded, template))
                assert 400 <= answer.status_code < 500 or answer.url.path == "/jobs", (template, text)


def test_no_field_of_the_form_is_opened(http: TestClient) -> None:
    """The form of the dashboard hands its fields to the same checks."""
    page = http.get("/submit").text
    token = re.findall(r'name="form_token" value="([0-9a-f]+)"', page)[0]
    for name in ("model", "dataset", "sigma", "plan", "n", "labels", "tags", "radii", "upload", "once"):
        for text in TRAVERSALS:
            sent = text.encode("utf-8", "replace").decode()
            fields = {**FORM, "form_token": token, name: sent}
            for action in ("submit", "estimate"):
                answer = http.post("/submit", data={**fields, "action": action}, files={"x": b""})
                assert answer.status_code in {200, 400, 404, 422}, (name, text)


def test_no_field_of_the_form_of_sweeps_is_opened(http: TestClient) -> None:
    """Its fields go the way of a sweep's options."""
    page = http.get("/submit/sweep").text
    token = re.findall(r'name="form_token" value="([0-9a-f]+)"', page)[0]
    names = re.findall(r'name="([a-z_0-9]+)"', page)
    assert {"ingredient_5", "calibrate", "dataset", "sigmas"} < set(names)
    for name in set(names) - {"form_token", "action"}:
        for text in TRAVERSALS:
            sent = text.encode("utf-8", "replace").decode()
            fields = {"ingredient_1": "digits-cnn", "dataset": "digits", "sigmas": "0.25", "units": "1"}
            for action in ("submit", "estimate"):
                asked = {**fields, "limit": "1", "form_token": token, "action": action, name: sent}
                answer = http.post("/submit/sweep", data=asked)
                assert answer.status_code in {200, 400, 404, 422}, (name, text)


def test_no_query_is_opened(http: TestClient) -> None:
    """Page tokens, filters, formats and ids in a query are looked up, never opened."""
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        names = [p["name"] for p in methods.get("get", {}).get("parameters", ()) if p["in"] == "query"]
        for name in names:
            for text in TRAVERSALS:
                query = f"{name}={quote(text.encode('utf-8', 'surrogatepass'), safe='')}"
                answer = http.get(f"{re.sub('{[a-z_]+}', 'job_x', path)}?{query}")
                assert answer.status_code < 500, (path, query, answer.text[:500])


@pytest.mark.parametrize("name", TRAVERSALS)
def test_the_name_of_a_file_is_only_printed(http: TestClient, name: str) -> None:
    """The name that a sender gives a file is no name here: nothing is read or written under it."""
    printable = name.encode("utf-8", "replace").decode().replace("\x00", "")
    parts = {"request": json.dumps({"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 100})}
    _refused(http.post("/v1/jobs", data=parts, files=[("images", (printable, b"no picture"))]))


def test_a_number_of_four_thousand_digits_is_refused(http: TestClient) -> None:
    """Where an integer is asked for, one that no arithmetic was meant for is outside the domain."""
    huge = "9" * 4000
    for field in ("n", "n0", "limit", "skip", "start", "stop", "seed", "batch_size"):
        text = json.dumps({**GOOD, field: "HUGE"}).replace('"HUGE"', huge)
        answer = http.post("/v1/jobs", content=text, headers={"content-type": "application/json"})
        assert answer.status_code < 500, (field, answer.text[:300])
