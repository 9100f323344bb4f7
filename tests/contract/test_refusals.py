"""Every refusal is a problem document that says what to do, and leaves nothing behind."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.app import create_app
from api.routes import events
from api.services import Services
from certd.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.integration

GOOD = {"model": "digits-cnn", "dataset": "digits", "limit": 2, "sigma": 0.25, "plan": "fixed", "n": 100}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return the folder of the jobs."""
    return tmp_path


@pytest.fixture
def client(data_dir: Path, valkey_url: str) -> Iterator[TestClient]:
    """Return a client of the application over a real queue with no worker."""
    settings = Settings(data_dir=data_dir, max_body_bytes=2**20, max_draws=10**9, max_images=5)
    with TestClient(
        create_app(Services.connect(settings, valkey_url)), raise_server_exceptions=False
    ) as http:
        yield http


def _refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["detail"].endswith((".", ")"))
    return problem


def _upload(client: TestClient, *files: tuple[str, bytes], **options: Any) -> httpx2.Response:
    request = {"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 100, **options}
    parts = [("images", file) for file in files]
    return client.post("/v1/jobs", data={"request": json.dumps(request)}, files=parts)


def _png(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.zeros(shape, np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_a_good_request_is_accepted(client: TestClient, data_dir: Path) -> None:
    """The refusals below are not for want of a queue or a model: the same request, unspoilt, is taken."""
    answer = client.post("/v1/jobs", json=GOOD)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["links"]["self"]
    assert answer.json()["status"] == "queued"
    assert len(list((data_dir / "jobs").iterdir())) == 1


def test_too_few_draws_are_refused_with_the_arithmetic(client: TestClient) -> None:
    """Nine draws at alpha = .001 can certify nothing; the least n is 10."""
    problem = _refused(client.post("/v1/jobs", json={**GOOD, "n": 9}), 422, "cannot-certify")
    assert problem["least_n"] == 10
    assert "0.464159" in problem["detail"]


def test_a_second_look_that_is_sent_again_finds_its_job(client: TestClient, data_dir: Path) -> None:
    """Under one key there is one more job, and for another job the key is used up."""
    first, other = (client.post("/v1/jobs", json=GOOD).json()["id"] for _ in range(2))
    key = {"Idempotency-Key": "again"}
    made = [client.post(f"/v1/jobs/{first}/rerun", headers=key) for _ in range(3)]
    assert len({answer.json()["id"] for answer in made}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in made] == [None, "true", "true"]
    assert len(list((data_dir / "jobs").iterdir())) == 3
    _refused(client.post(f"/v1/jobs/{other}/rerun", headers=key), 422, "idempotency-key-reused")


def test_thresholds_that_take_too_long_are_refused(client: TestClient) -> None:
    """Hundreds of radii from a billion draws would occupy a worker before the first draw; said at once."""
    dear = {"model": "digits-cnn", "sigma": 10, "plan": "radii", "n": 2**30}
    for answer in (
        client.post("/v1/estimate", json=dear),
        client.post("/v1/jobs", json={**dear, "dataset": "digits", "limit": 1}),
    ):
        assert _refused(answer, 422, "cannot-certify")["pointer"] == "/n"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"aplha": 0.01}, "/aplha"),
        ({"sigma": -1}, "/sigma"),
        ({"sigma": "NaN"}, "/sigma"),
        ({"alpha": 1.5}, "/alpha"),
        ({"n": 0}, "/n"),
        ({"seed": 2**64}, "/seed"),
        ({"plan": "magic"}, "/plan"),
        ({"limit": 0}, "/limit"),
        ({"start": 5000}, "/start"),
        ({"labels": [1]}, "/labels"),
        ({"tags": ["mine", "rerun-of-job_x"]}, "/tags/1"),
        ({"tags": ["final-of-job_x"]}, "/tags/0"),
    ],
)
def test_an_option_outside_its_domain_is_named(
    client: TestClient, change: dict[str, Any], pointer: str
) -> None:
    """The JSON Pointer leads to the offending option; a misspelt one does not become a default."""
    problem = _refused(client.post("/v1/jobs", json={**GOOD, **change}), 422, "invalid-parameter")
    assert problem["pointer"] == pointer


def test_unknown_names_are_refused_with_those_that_exist(client: TestClient) -> None:
    """An unknown model or data set answers 404 and lists what there is."""
    problem = _refused(client.post("/v1/jobs", json={**GOOD, "model": "resnet"}), 404, "not-found")
    assert "digits-cnn" in problem["detail"]
    _refused(client.post("/v1/jobs", json={**GOOD, "dataset": "../../etc/passwd"}), 404, "not-found")


def test_images_of_another_shape_are_refused(client: TestClient) -> None:
    """A 9 by 8 image is not resized to 8 by 8."""
    problem = _refused(_upload(client, ("a.png", _png((9, 8)))), 422, "shape-mismatch")
    assert "9" in problem["detail"]


def test_a_broken_png_is_refused_by_name(client: TestClient) -> None:
    """Half a PNG is unreadable, and the message names the file."""
    problem = _refused(_upload(client, ("half.png", _png((8, 8))[:40])), 422, "unreadable-input")
    assert "half.png" in problem["detail"]


def test_a_lying_npy_header_costs_no_memory(client: TestClient) -> None:
    """A 128-byte file that claims 32 GiB of pixels is refused before anything is allocated."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (536870912, 1, 8, 8), }".ljust(117) + b"\n"
    lie = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    _refused(_upload(client, ("lie.npy", lie)), 422, "unreadable-input")


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan, np.inf, 0.5001])
def test_pixels_out_of_range_are_refused(client: TestClient, value: float) -> None:
    """Floats must lie in [0, 1] and on the 8-bit grid that the noise lives on."""
    pixels = np.zeros((1, 1, 8, 8))
    pixels[0, 0, 3, 3] = value
    _refused(_upload(client, ("p.npy", _npy(pixels))), 422, "pixels-out-of-range")


def test_objects_are_never_unpickled(client: TestClient) -> None:
    """An .npy of Python objects is refused by its header."""
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    _refused(_upload(client, ("evil.npy", stream.getvalue())), 422, "unreadable-input")


def test_an_empty_array_is_refused(client: TestClient) -> None:
    """A job of no images is no job."""
    assert _upload(client, ("none.npy", _npy(np.zeros((0, 1, 8, 8), np.uint8)))).status_code == 422


@pytest.mark.parametrize(
    ("labels", "code"), [([1, 2], "shape-mismatch"), ([10], "invalid-parameter"), ([-1], "invalid-parameter")]
)
def test_labels_that_do_not_fit_are_refused(client: TestClient, labels: list[int], code: str) -> None:
    """One label an image, each a class of the model."""
    _refused(_upload(client, ("a.png", _png((8, 8))), labels=labels), 422, code)


def test_more_images_than_allowed_are_refused(client: TestClient) -> None:
    """The sixth image of at most five is one too many, as files and as an array."""
    assert _upload(client, *[(f"{i}.png", _png((8, 8))) for i in range(6)]).status_code in {413, 422}
    _refused(_upload(client, ("six.npy", _npy(np.zeros((6, 1, 8, 8), np.uint8)))), 413, "too-large")


def test_a_body_over_the_limit_is_cut_off(client: TestClient) -> None:
    """A body of two megabytes where one is allowed answers 413 and names the limit."""
    problem = _refused(_upload(client, ("big.npy", bytes(2 * 2**20))), 413, "too-large")
    assert problem["max_body_bytes"] == 2**20


def test_a_job_over_the_budget_is_refused(client: TestClient) -> None:
    """Two images at 1e9 draws each exceed a budget of 1e9 draws."""
    _refused(client.post("/v1/jobs", json={**GOOD, "n": 10**9}), 413, "too-large")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("PUT", "/v1/jobs", 405), ("GET", "/v1/jobs/job_x", 404)],
)
def test_the_frameworks_own_refusals_are_problems_too(
    client: TestClient, method: str, path: str, status: int
) -> None:
    """404 and 405 answer with a problem document like everything else."""
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b'{"model": "digits-cnn"}', b"\xff\xfe", b'{"model":"digits-cnn","sigma":NaN}'],
)
def test_a_body_that_is_no_request_is_refused(client: TestClient, body: bytes) -> None:
    """Broken JSON, another JSON value and missing options are the sender's fault, not a crash."""
    answer = client.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    _refused(answer, 422, "invalid-parameter")


def test_another_media_type_is_refused(client: TestClient) -> None:
    """Plain text answers 415 and names what is taken."""
    answer = client.post("/v1/jobs", content=b"x", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.json()["detail"]


def test_files_and_a_dataset_together_are_refused(client: TestClient) -> None:
    """A job is about one set of images."""
    _refused(_upload(client, ("a.png", _png((8, 8))), dataset="digits"), 422, "invalid-parameter")


def test_a_refusal_stores_nothing(client: TestClient, data_dir: Path) -> None:
    """After a refusal the folder of jobs is as it was."""
    client.post("/v1/jobs", json={**GOOD, "n": 9})
    _upload(client, ("half.png", _png((8, 8))[:40]))
    assert [path for path in data_dir.rglob("*") if path.is_file()] == []


def test_readiness_needs_a_worker_and_liveness_does_not(client: TestClient) -> None:
    """With a queue and no worker the service is alive, and not ready."""
    assert client.get("/livez").status_code == 200
    _refused(client.get("/readyz"), 503, "unavailable")


def test_one_stream_too_many_is_told_to_come_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many streams as are held open at a time, and one after the other any number."""
    job_id = client.post("/v1/jobs", json=GOOD).json()["id"]
    client.post(f"/v1/jobs/{job_id}/cancel")
    monkeypatch.setattr(events, "MOST_STREAMS", 1)
    for _ in range(3):
        assert "event: ended" in client.get(f"/v1/jobs/{job_id}/events").text
    monkeypatch.setattr(events, "_open", {object()})
    refused = client.get(f"/v1/jobs/{job_id}/events")
    _refused(refused, 503, "unavailable")
    assert int(refused.headers["retry-after"]) == events.FULL_RETRY_SECONDS


def test_of_many_streams_let_in_at_once_no_more_are_held_open(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that finds no room at its first word ends there, and its reader comes again."""
    job_id = client.post("/v1/jobs", json=GOOD).json()["id"]

    class FullFromTheSecondLook(set[object]):
        def __len__(self) -> int:
            self.looks = getattr(self, "looks", -1) + 1
            return events.MOST_STREAMS * self.looks

    monkeypatch.setattr(events, "_open", FullFromTheSecondLook())
    monkeypatch.setattr(events, "LONGEST_SECONDS", 1.0)
    assert client.get(f"/v1/jobs/{job_id}/events").text == "retry: 10000\n\n"


def test_a_queue_that_is_away_answers_503(data_dir: Path) -> None:
    """Without a server at the queue's address a submission says when to try again."""
    services = Services.connect(Settings(data_dir=data_dir), f"unix://{data_dir}/nobody.sock")
    with TestClient(create_app(services), raise_server_exceptions=False) as http:
        answer = http.post("/v1/jobs", json=GOOD)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
