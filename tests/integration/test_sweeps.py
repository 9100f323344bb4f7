"""A sweep over soups is one job: sharded by soup and image, the same whoever is killed, ranked, certified."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect
from redis import Redis
from typer.testing import CliRunner

from api.embedded.valkey import server_url
from certd.cli import app
from certd.errors import CertdError, Conflict, Gone, InvalidParameter, NotFound, TooLarge
from certd.result import Result
from certd.smoothing.draws import Phase
from tests.integration.browsing import NARROW, WIDE, Reader, chromium
from tests.integration.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

NAMES = ["digits-plain", "digits-noise-25", "digits-noise-50"]
SWEEP: dict[str, Any] = {
    "ingredients": NAMES, "units": 2, "dataset": "digits", "stop": 20, "sigmas": [0.25, 0.5],
    "n": 100, "n0": 10, "seed": 3, "radius": 0.25,
}  # fmt: skip
LOCAL = ["--sigma=.25,.5", "--images=0:20", "--units=2", "--n=100", "--n0=10", "--seed=3"]
THREATS = ["--threat=l2:0.25@0.25", "--threat=l2:0.25@0.5"]
RUNS, IMAGES, DRAWS = 14, 20, 110


def _certd(*arguments: str) -> str:
    """Run the command line in this process, which spares it importing torch each time."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Train three digits models from one seed, plain and under two noise levels, and register them."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CERTD_MODELS", str(folder / "models.yaml"))
        for name, sigma in zip(NAMES, ("0", ".25", ".5"), strict=True):
            weights = str(folder / f"{name}.safetensors")
            training = [f"--sigma={sigma}", "--epochs=3", "--seed=0", f"--out={weights}"]
            _certd("train", "digits-cnn", "digits-train", *training)
            _certd("models", "register", name, weights)
        assert "probabilities averaged" in _certd("models", "ensemble", "all-three", *NAMES)
        yield folder / "models.yaml"


@pytest.fixture(scope="module")
def stack(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a service with the three models."""
    assert registry.exists()
    with running(tmp_path_factory.mktemp("sweeps")) as service:
        yield service


@pytest.fixture(scope="module")
def local(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the same sweep in this process, undisturbed."""
    assert registry.exists()
    folder = tmp_path_factory.mktemp("local") / "sweep"
    _certd("soup", "sweep", str(folder), "digits", *NAMES, *LOCAL)
    return folder


@pytest.fixture(scope="module")
def swept(stack: Service) -> dict[str, Any]:
    """Return the sweep as a job that ended, although its only worker was killed in the middle of it."""
    job = stack.client.submit_sweep(SWEEP)
    stack.wait_for_images(job["id"], IMAGES)
    os.kill(stack.worker_pids()[0], signal.SIGKILL)
    half = stack.client.job(job["id"])
    assert half["status"] == "running"
    assert half["progress"]["images_done"] < RUNS * IMAGES
    return _ended(stack, job)


def _ended(service: Service, job: dict[str, Any]) -> dict[str, Any]:
    ended = service.client.wait(job["id"], timeout_seconds=300)
    assert ended["status"] == "succeeded", ended["error"]
    return ended


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _votes(run: Result) -> list[list[int]]:
    return [each.record.tallies[Phase.ESTIMATION].counts.tolist() for each in run.certificates]


def test_a_sweep_is_one_job_with_the_report_of_a_local_one(
    stack: Service, swept: dict[str, Any], local: Path
) -> None:
    """Progress counts every image of every run once, and each number of the report is the local one."""
    progress = swept["progress"]
    assert progress["images_done"] == progress["images_total"] == RUNS * IMAGES
    assert swept["sweep"]["runs_done"] == swept["sweep"]["runs_total"] == RUNS
    assert [job["id"] for job in stack.client.jobs()].count(swept["id"]) == 1
    for name in NAMES:
        assert swept["id"] in [job["id"] for job in stack.client.jobs(model=name)]
    assert swept["id"] not in [job["id"] for job in stack.client.jobs(model="digits-cnn")]
    expected = _certd("soup", "report", str(local), *THREATS, "--json")
    assert stack.client.report(swept["id"]) == json.loads(expected)
    page = local.parent / "page.html"
    _certd("soup", "report", str(local), *THREATS, f"--html={page}")
    assert stack.client.page(swept["id"]) == page.read_text()
    with httpx.Client(base_url=f"{stack.url}/v1/sweeps/{swept['id']}") as http:
        other = http.get("/report", params={"threat": "linf:0.01@0.5"}).raise_for_status().json()
        assert other == json.loads(_certd("soup", "report", str(local), "--threat=linf:0.01@0.5", "--json"))
        assert http.get("/report.html").raise_for_status().text == page.read_text()
    table = f"{stack.url}/v1/jobs/{swept['id']}/report/tables/soups.csv"
    assert len(httpx.get(table).raise_for_status().text.splitlines()) == 1 + 7
    assert httpx.get(table.replace("soups", "none")).status_code == httpx.codes.NOT_FOUND


def test_a_killed_worker_changes_no_count(
    stack: Service, swept: dict[str, Any], local: Path, tmp_path: Path
) -> None:
    """After SIGKILL in mid-sweep each file is that of an undisturbed local sweep, to the last byte.

    Nothing is counted twice either: the draws of the ended job are those of its certificates.
    """
    assert len(stack.worker_pids()) == 2
    assert swept["progress"]["draws_done"] == RUNS * IMAGES * DRAWS
    folder = tmp_path / "served"
    _certd("soup", "fetch", str(folder), swept["id"], f"--server={stack.url}")
    assert _files(folder) == _files(local)
    with pytest.raises(Conflict, match="not empty"):
        _certd("soup", "sweep", str(folder), "digits", *NAMES, *LOCAL, f"--server={stack.url}")


def test_two_workers_share_a_sweep_although_one_is_killed_and_the_queue_lost(
    registry: Path, local: Path, tmp_path: Path
) -> None:
    """SIGKILL of one of them and FLUSHALL in mid-sweep: the files are the same to the last byte."""
    with running(tmp_path / "data", workers=2, CERTD_MODELS=str(registry)) as service:
        job = service.client.submit_sweep(SWEEP)
        service.wait_until(lambda: _hands(service, job) == 2)
        service.wait_for_images(job["id"], IMAGES)
        os.kill(service.worker_pids()[0], signal.SIGKILL)
        with Redis.from_url(server_url(tmp_path / "data")) as redis:
            redis.flushall()
        # What was running counts as queued until the progress is read again from the folder.
        assert service.client.job(job["id"])["status"] in {"queued", "running"}
        assert _ended(service, job)["progress"]["draws_done"] == RUNS * IMAGES * DRAWS
        service.wait_for_workers(3)
        _certd("soup", "fetch", str(tmp_path / "served"), job["id"], f"--server={service.url}")
    assert _files(tmp_path / "served") == _files(local)


def _hands(service: Service, job: dict[str, Any]) -> int:
    workers = httpx.get(f"{service.url}/v1/workers").json()["workers"]
    return sum(worker["job_id"] == job["id"] for worker in workers)


def test_the_command_line_sweeps_through_a_service(stack: Service, registry: Path, tmp_path: Path) -> None:
    """Equal soups get equal counts there too, and the folder is like any other."""
    assert registry.exists()
    twice = [NAMES[0], NAMES[0], "--units=2", "--sigma=.25", "--images=0:6", "--n=50", "--n0=10"]
    shown = _certd("soup", "sweep", str(tmp_path / "a"), "digits", *twice, f"--server={stack.url}")
    assert "ensemble" in shown
    assert "soup" in _certd("soup", "report", str(tmp_path / "a"), "--json")
    job = next(iter(stack.client.jobs()))
    votes = [_votes(stack.client.run(job["id"], number)) for number in range(3)]
    assert votes[0] == votes[1] == votes[2]


def test_the_chosen_soup_is_certified_elsewhere_with_fresh_noise(
    stack: Service, swept: dict[str, Any]
) -> None:
    """The best soup on the held-out half, an ordinary job; images and noise of the sweep are refused."""
    with pytest.raises(InvalidParameter, match="5 of these images chose"):
        stack.client.certify_chosen(swept["id"], {"sigma": 0.25, "start": 15, "stop": 25, "n": 200})
    with pytest.raises(InvalidParameter, match="seed"):
        stack.client.certify_chosen(swept["id"], {"sigma": 0.25, "start": 180, "limit": 5, "seed": 3})
    with pytest.raises(InvalidParameter, match="no soup of those weights"):
        stack.client.certify_chosen(
            swept["id"], {"sigma": 0.25, "start": 180, "limit": 5, "weights": [3, 0, -1]}
        )
    final = _ended(
        stack,
        stack.client.certify_chosen(swept["id"], {"sigma": 0.25, "start": 180, "limit": 20, "n": 300}),
    )
    best = stack.client.report(swept["id"])["best"][0]
    assert final["certification"]["model"].partition("@")[0] == best
    assert final["certification"]["seed"] != SWEEP["seed"]
    assert final["sweep"] is None
    assert final["progress"]["images_done"] == 20
    assert stack.client.report(final["id"])["settings"]["n"] == 300
    request = {"sigma": 0.25, "start": 18, "limit": 4, "n": 100, "weights": [1, 0, 1], "force": True}
    forced = _ended(stack, stack.client.certify_chosen(swept["id"], request))
    assert "2 of the images chose this soup" in stack.client.report(forced["id"])["settings"]["marked"]
    out = stack.log.parent / "final.parquet"
    there = [swept["id"], f"--server={stack.url}", f"--out={out}", "--sigma=.25", "--n=100", "--seed=5"]
    assert "certified accuracy" in _certd("soup", "final", *there, "--images=180:186", "--weights=.5,0,.5")
    kept = Result.load(out)
    assert kept.manifest.certification.model.startswith("soup-0.5-0-0.5@")
    assert len(kept.certificates) == 6
    with pytest.raises(InvalidParameter, match="no sweep"):
        stack.client.certify_chosen(final["id"], {"sigma": 0.25})


def test_a_run_of_a_sweep_is_asked_for_by_its_number(stack: Service, swept: dict[str, Any]) -> None:
    """What is of many classifiers is never handed out as if it were of one."""
    found = stack.client.sweep(swept["id"])
    assert [run["run"] for run in found["runs"]] == list(range(RUNS))
    assert [run["name"] for run in found["runs"]][-1] == "ensemble"
    assert all(run["done"] and run["images_done"] == IMAGES for run in found["runs"])
    base = f"{stack.url}/v1/jobs/{swept['id']}"
    for path in ("/certificates", "/certificates?format=csv", "/manifest", "/certificates/3", "/weights"):
        refused = httpx.get(base + path)
        assert refused.status_code == 422, path
        assert "run=0 to 13" in refused.json()["detail"]
    assert httpx.get(f"{base}/certificates?run=14").status_code == 422
    rows = httpx.get(f"{base}/certificates", params={"run": 3}).json()["certificates"]
    assert len(rows) == IMAGES
    assert httpx.get(f"{base}/certificates/3?run=3").json()["certificate"] == rows[3]
    manifest = httpx.get(f"{base}/manifest?run=3").json()
    assert manifest["certification"]["noise"]["sigma"] == found["runs"][3]["sigma"] == 0.5
    assert manifest["certification"]["model"].startswith(found["runs"][3]["name"])
    compared = httpx.get(f"{stack.url}/v1/compare", params={"job": [swept["id"], swept["id"]]})
    assert compared.status_code == 422


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"ingredients": ["digits-plain", "nobody"]}, NotFound, "nobody"),
        ({"dataset": "nothing"}, NotFound, "nothing"),
        ({"ingredients": ["digits-plain", "digits-cnn"]}, InvalidParameter, "cannot be averaged"),
        ({"units": 100}, InvalidParameter, "more than 2,000 soups"),
        ({"high": 0}, InvalidParameter, "No weights from 0 to 0 steps"),
        ({"threats": ["l2:0.5@0.75"]}, InvalidParameter, "the sweep runs sigma 0.25, 0.5"),
        ({"n": 5}, CertdError, "cannot certify"),
        ({"n": 10**9}, TooLarge, "fewer soups"),
        ({"sigmas": [0.25, 0.25]}, InvalidParameter, "stand once"),
        ({"calibrate": {"dataset": "digits-train"}}, InvalidParameter, "Say which of the noise levels"),
        (
            {"calibrate": {"dataset": "digits", "start": 19, "stop": 50, "sigma": 0.25}},
            InvalidParameter,
            "used for calibration",
        ),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_is_stored(
    stack: Service, change: dict[str, Any], kind: type[CertdError], words: str
) -> None:
    """A clear sentence each, and no job is left behind."""
    before = [job["id"] for job in stack.client.jobs()]
    with pytest.raises(kind, match=words):
        stack.client.submit_sweep({**SWEEP, **change})
    assert [job["id"] for job in stack.client.jobs()] == before


def test_a_key_finds_its_sweep_and_a_cancel_ends_it_whole(stack: Service) -> None:
    """Sent twice it is one job; canceled it stops, what is finished is reported; deleted it is gone."""
    large = {**SWEEP, "n": 20_000, "seed": 9}
    with httpx.Client(base_url=stack.url, headers={"Idempotency-Key": "one"}) as http:
        first = http.post("/v1/sweeps", json=large)
        again = http.post("/v1/sweeps", json=large)
        assert first.json()["id"] == again.json()["id"]
        assert again.headers["idempotency-replayed"] == "true"
        assert first.headers["location"] == f"/v1/jobs/{first.json()['id']}"
        assert http.post("/v1/sweeps", json={**large, "seed": 10}).status_code == 422
    job_id = first.json()["id"]
    with pytest.raises(Conflict, match="not finished"):
        stack.client.certify_chosen(job_id, {"sigma": 0.25, "start": 180, "limit": 5})
    stack.client.cancel(job_id)
    assert stack.client.wait(job_id, timeout_seconds=60)["status"] == "canceled"
    with pytest.raises(Conflict, match="No soup"):
        stack.client.report(job_id)
    stack.client.delete(job_id)
    with pytest.raises(Gone):
        stack.client.sweep(job_id)


def test_a_registered_ensemble_is_that_of_the_sweep(stack: Service, swept: dict[str, Any]) -> None:
    """An ordinary job on the registered ensemble draws the votes of the sweep's, count by count."""
    (view,) = [model for model in stack.client.models() if model["name"] == "all-three"]
    assert [each.partition("@")[0] for each in view["ensemble"]] == NAMES
    asked = {"model": "all-three", "dataset": "digits", "stop": IMAGES, "sigma": 0.5, "plan": "fixed"}
    job = _ended(stack, stack.client.submit({**asked, "n": 100, "n0": 10, "seed": SWEEP["seed"]}))
    assert _votes(stack.client.run(job["id"])) == _votes(stack.client.run(swept["id"], RUNS - 1))


def test_a_sweep_is_run_again_as_another_sweep(stack: Service, swept: dict[str, Any]) -> None:
    """The same soups with fresh noise, tagged; its digest is its own."""
    again = stack.client.rerun(swept["id"])
    assert again["sweep"]["soups"] == swept["sweep"]["soups"]
    assert again["certification"]["seed"] != 3
    assert again["certification"]["model"] != swept["certification"]["model"]
    stack.client.cancel(again["id"])


def test_the_dashboard_shows_a_sweep(stack: Service, swept: dict[str, Any]) -> None:
    """One line of the list, and a page with the best soups, the triangle and every soup."""
    listed = httpx.get(f"{stack.url}/jobs").text
    assert listed.count(f'href="/jobs/{swept["id"]}"') == 1
    assert f"6 soups of {', '.join(NAMES)}" in listed
    page = httpx.get(f"{stack.url}/jobs/{swept['id']}").raise_for_status().text
    assert "Do not report the best" in page
    assert page.count("<circle") == 6
    assert f"/v1/sweeps/{swept['id']}/report.html" in page
    assert f"{RUNS} of {RUNS} runs" in page


def test_a_sweep_and_its_final_certificate_are_submitted_through_forms(
    stack: Service, swept: dict[str, Any]
) -> None:
    """A person names the models, mends a mistake, asks for the price, sweeps, and certifies the best soup."""
    assert swept["status"] == "succeeded"
    with chromium() as browser, Reader(browser, stack.url) as reader:
        page = reader.open("/submit")
        page.get_by_role("link", name="Sweep soups instead").click()
        for number, name in enumerate(NAMES[1:], 1):
            page.get_by_label(f"Ingredient {number}").select_option(name)
        page.get_by_label("Data set").select_option("digits")
        page.get_by_label("How many").fill("6")
        page.get_by_label("n", exact=True).fill("100")
        page.get_by_label("sigma").fill("none")
        page.get_by_role("button", name="Sweep", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("sigmas takes numbers")
        expect(page.get_by_label("sigma")).to_have_attribute("aria-invalid", "true")
        reader.look("submit-sweep-refused")
        reader.expect_refusal()
        page.get_by_label("sigma").fill("0.25, 0.5")
        page.get_by_role("button", name="What would it cost?").click()
        # Six soups and the ensemble, under two noise levels; n0 is 100 by default.
        expect(page.get_by_role("status").first).to_contain_text("6 soups, 14 runs over 6 images each")
        reader.look("submit-sweep-estimate")
        page.get_by_role("button", name="Sweep", exact=True).click()
        page.wait_for_url("**/jobs/job_*")
        sweep = _ended(stack, {"id": page.url.rpartition("/")[2]})
        assert sweep["sweep"]["runs_total"] == 14
        reader.open(f"/jobs/{sweep['id']}")
        assert page.get_by_label("From image").input_value() == "6"
        page.get_by_label("How many").fill("5")
        page.get_by_label("n", exact=True).fill("1000")
        page.get_by_role("button", name="Certify the best soup").click()
        page.wait_for_url(lambda url: sweep["id"] not in url)
        final = _ended(stack, {"id": page.url.rpartition("/")[2]})
        assert f"final-of-{sweep['id']}" in final["tags"]
        assert [row["image_id"] for row in stack.client.certificates(final["id"])] == [6, 7, 8, 9, 10]


def test_a_sweep_is_priced_before_it_is_submitted(stack: Service) -> None:
    """The estimate is what the job is charged; what cannot be swept is refused there as well."""
    asked = {**SWEEP, "seed": 4}
    price = stack.client.estimate_sweep(asked)
    with pytest.raises(InvalidParameter, match="soups") as refusal:
        stack.client.estimate_sweep({**asked, "units": 4_000})
    assert (price["soups"], price["runs"], price["num_images"]) == (6, RUNS, IMAGES)
    assert price["draws_at_most"] == RUNS * IMAGES * DRAWS
    assert 0 < price["largest_radius"] < 4
    assert refusal.value.pointer == "/units"


def test_its_page_reads_well_on_every_screen(stack: Service, swept: dict[str, Any]) -> None:
    """Light, dark and on a phone, a triangle and a line: no fault, nothing beside the screen."""
    request = {**SWEEP, "ingredients": NAMES[:2], "low": -1, "high": 3, "stop": 5}
    line = _ended(stack, stack.client.submit_sweep(request))
    assert "soups-on-a-line" in httpx.get(f"{stack.url}/jobs/{line['id']}").text
    figure = f"{stack.url}/v1/jobs/{line['id']}/report/figures/soups-on-a-line.svg"
    assert httpx.get(figure).raise_for_status().text.startswith("<svg")
    with chromium() as browser:
        for dark, width in ((False, WIDE), (True, WIDE), (False, NARROW)):
            with Reader(browser, stack.url, dark=dark, width=width) as reader:
                for name, path in {"sweep": swept["id"], "sweep-line": line["id"]}.items():
                    reader.open(f"/jobs/{path}")
                    reader.look(name)
                reader.open("/jobs")
                reader.look("jobs-with-sweeps")
                reader.open("/submit/sweep")
                reader.look("submit-sweep")
