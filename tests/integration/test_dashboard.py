"""The dashboard in a real browser: what its three readers do with it, in every light and on every screen."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certd.access import KeyStore, Scope
from certd.datasets import load_dataset
from certd.jobs.job import new_job_id
from tests.integration.browsing import NARROW, WIDE, Reader, chromium
from tests.integration.conftest import running
from tests.integration.test_failing_models import failing_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, FilePayload, Locator, Page

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

SMALL = {"model": "digits-cnn", "dataset": "digits", "sigma": 0.25, "plan": "fixed", "n": 1000, "limit": 60}
LONG = {**SMALL, "n": 100_000, "limit": 300}
SCREENS = [(False, WIDE), (True, WIDE), (False, NARROW)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the browser that the tests of this module share."""
    expect.set_options(timeout=60_000)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def jobs(service: Service) -> list[str]:
    """Return two comparable jobs that have ended, and one under other noise."""
    asked: list[dict[str, Any]] = [
        {**SMALL, "seed": 1, "tags": ["shared"]},
        {**SMALL, "seed": 2, "tags": ["shared"]},
        {**SMALL, "sigma": 0.5, "seed": 3, "tags": ["shared"]},
    ]
    made = [service.client.submit(each)["id"] for each in asked]
    for job_id in made:
        assert service.client.wait(job_id)["status"] == "succeeded"
    return made


def _pictures() -> list[FilePayload]:
    """Return three digits as files that a person would choose."""
    from PIL import Image  # noqa: PLC0415 - only this test needs it

    files: list[FilePayload] = []
    for place, pixels in enumerate(load_dataset("digits").images[:3]):
        stream = io.BytesIO()
        Image.fromarray(pixels[0]).save(stream, "PNG")
        files.append({"name": f"{place}.png", "mimeType": "image/png", "buffer": stream.getvalue()})
    return files


def _images_done(page: Page) -> int:
    text = page.locator("#progress strong").first.inner_text()
    return int(text.split()[0].replace(",", ""))


def _rows(page: Page) -> Locator:
    return page.locator("table.images tbody tr")


def test_images_are_submitted_through_the_form(browser: Browser, service: Service) -> None:
    """A person chooses files, says their classes, asks for the price, and finds them certified."""
    with Reader(browser, service.url) as reader:
        page = reader.open("/jobs")
        page.get_by_role("link", name="New job").click()
        reader.look("submit")
        page.get_by_label("Images", exact=True).set_input_files(_pictures())
        page.get_by_label("Their classes").fill("2, 5, 2")
        page.get_by_label("n", exact=True).fill("1000")
        page.get_by_label("Tags").fill("by-hand")
        page.get_by_role("button", name="What would it cost?").click()
        expect(page.get_by_role("status").first).to_contain_text("3 images: at most")
        reader.look("submit-estimate")
        page.get_by_label("Images", exact=True).set_input_files(_pictures())
        page.get_by_role("button", name="Certify").click()
        expect(page.get_by_text("3 of 3 images")).to_be_visible()
        expect(_rows(page)).to_have_count(3)
        expect(page.get_by_role("link", name="by-hand")).to_be_visible()
        page.reload()
        page.locator("table.images img").first.scroll_into_view_if_needed()
        page.wait_for_function("() => document.querySelector('table.images img').naturalWidth === 8")


def test_a_form_that_is_sent_twice_makes_one_job(browser: Browser, service: Service) -> None:
    """An impatient hand costs nothing."""
    with Reader(browser, service.url) as reader:
        page = reader.open("/submit?dataset=digits")
        page.get_by_label("n", exact=True).fill("1000")
        page.get_by_role("button", name="Certify").click()
        page.wait_for_url("**/jobs/job_*")
        first = page.url
        page.go_back()
        page.get_by_role("button", name="Certify").click()
        page.wait_for_url("**/jobs/job_*")
        assert page.url == first


def test_a_mistake_in_the_form_is_shown_at_its_field(browser: Browser, service: Service) -> None:
    """The answer says what to change, points at the field, and keeps what was filled in."""
    with Reader(browser, service.url) as reader:
        page = reader.open("/submit?dataset=digits")
        page.get_by_label("sigma").fill("-1")
        page.get_by_label("Tags").fill("kept")
        page.get_by_role("button", name="Certify").click()
        expect(page.get_by_role("alert")).to_contain_text("sigma")
        expect(page.get_by_label("sigma")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Tags")).to_have_value("kept")
        reader.look("submit-refused")
        reader.expect_refusal()


def test_progress_moves_and_a_job_is_canceled(browser: Browser, service: Service) -> None:
    """Numbers and figures change without the page being loaded again; canceling keeps what is finished."""
    with Reader(browser, service.url) as reader:
        job_id = service.client.submit(LONG)["id"]
        page = reader.open(f"/jobs/{job_id}")
        page.evaluate("window.notReloaded = true")
        page.wait_for_function("() => document.querySelector('#proved figure') !== null")
        page.locator("#proved summary").first.click()
        seen = _images_done(page)
        page.wait_for_function(
            "seen => parseInt(document.querySelector('#progress strong').textContent) > seen", arg=seen
        )
        assert page.evaluate("window.notReloaded")
        assert page.locator("#proved details").first.evaluate("each => each.open")
        expect(page.locator("#proved")).to_contain_text("Partial:")
        expect(page.locator("#progress")).to_contain_text("to go")
        reader.look("job-running")
        reader.open("/jobs")
        reader.look("jobs-running")
        reader.open("/workers")
        expect(page.locator("#workers")).to_contain_text(job_id)
        reader.look("workers-busy")
        reader.open(f"/jobs/{job_id}").get_by_role("button", name="Cancel").click()
        expect(page.locator("#progress .badge")).to_contain_text("canceled")
        assert 0 < service.client.job(job_id)["progress"]["images_done"] < 300
        reader.look("job-canceled")


@pytest.mark.parametrize(("dark", "width"), SCREENS)
def test_every_page_reads_well(
    browser: Browser, service: Service, jobs: list[str], width: int, *, dark: bool
) -> None:
    """Light, dark and on a phone: no accessibility fault, nothing beside the screen, no foreign request."""
    first, second, other = jobs
    pages = {
        "jobs": "/jobs",
        "jobs-none-fits": "/jobs?status=failed&tag=nothing",
        "job": f"/jobs/{first}",
        "job-filtered": f"/jobs/{first}?outcome=wrong&radius_from=2",
        "image": f"/jobs/{first}/images/3",
        "submit": "/submit",
        "compare-choose": "/compare",
        "compare": f"/compare?job={first}&job={second}",
        "compare-refused": f"/compare?job={first}&job={other}",
        "compare-forced": f"/compare?job={first}&job={other}&force=true",
        "workers": "/workers",
        "models": "/models",
    }
    with Reader(browser, service.url, dark=dark, width=width) as reader:
        for name, path in pages.items():
            reader.open(path)
            reader.look(name)
        paper = reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
        reader.open(f"/jobs/{new_job_id()}")
        expect(reader.page.get_by_role("alert")).to_contain_text("There is no job")
        reader.look("not-found")
        reader.expect_refusal()


def test_a_full_list_is_light_and_goes_on(browser: Browser, service: Service) -> None:
    """The first page with all it loads stays under 100 kB; older jobs are on the next one."""
    tags = [f"full-{place}" for place in range(55)]
    for tag in tags:
        service.client.submit({**SMALL, "limit": 1, "n": 100, "tags": ["full", tag]})
    with Reader(browser, service.url) as reader:
        sizes: list[int] = []
        reader.page.on("response", lambda response: sizes.append(len(response.body())))
        page = reader.open("/jobs?tag=full")
        page.wait_for_load_state("networkidle")
        assert page.locator("#jobs tbody tr").count() == 50
        assert sum(sizes) < 100_000
        reader.look("jobs-many")
        page.get_by_role("link", name="Older jobs").click()
        page.wait_for_url("**page_token=**")
        shown = page.locator("#jobs tbody tr")
        assert shown.count() == 5
        assert [tag for tag in tags[:5] if tag in shown.all_inner_texts()[-1 - tags.index(tag)]] == tags[:5]


def test_the_table_is_filtered_and_the_link_says_so(
    browser: Browser, service: Service, jobs: list[str]
) -> None:
    """Filters agree with the interface, live in the URL, and page."""
    rows = service.client.certificates(jobs[2])
    with Reader(browser, service.url) as reader:
        page = reader.open(f"/jobs/{jobs[2]}")
        expect(_rows(page)).to_have_count(50)
        page.get_by_role("link", name="Next").click()
        expect(_rows(page)).to_have_count(10)
        for outcome, wanted in (
            ("abstained", [row for row in rows if row["outcome"] == "abstained"]),
            ("wrong", [row for row in rows if row["prediction"] not in {None, row["label"]}]),
        ):
            page.get_by_label("Outcome").select_option(outcome)
            page.get_by_role("button", name="Filter").click()
            page.wait_for_url(f"**outcome={outcome}**")
            assert _rows(page).count() == len(wanted)
        page.goto(f"/jobs/{jobs[2]}")
        page.get_by_label("Radius from").fill("0.3")
        page.get_by_label("to", exact=True).fill("0.9")
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**radius_to=0.9**")
        shown = [float(text) for text in page.locator("table.images td:nth-child(5)").all_inner_texts()]
        assert len(shown) == sum(0.3 <= row["radius"] <= 0.9 for row in rows) > 0
        assert all(0.3 <= radius <= 0.9 for radius in shown)
        again = Reader(browser, service.url)
        assert again.open(page.url).locator("table.images tbody tr").count() == len(shown)
        again.__exit__(None, None, None)


def test_an_image_says_what_would_certify_it_further(
    browser: Browser, service: Service, jobs: list[str]
) -> None:
    """Its counts are those of the record, and the outlook is named as what it is."""
    row = service.client.certificates(jobs[0])[3]
    with Reader(browser, service.url) as reader:
        page = reader.open(f"/jobs/{jobs[0]}")
        page.get_by_role("link", name="3", exact=True).click()
        expect(page.get_by_role("heading", name="Image 3")).to_be_visible()
        votes = page.get_by_role("region", name="Votes")
        expect(votes).to_contain_text(f"{row['top_count']:,}")
        expect(page.get_by_text("not a certificate")).to_be_visible()
        assert page.locator(".picture").evaluate("each => each.naturalWidth") == 8


def test_two_jobs_are_compared(browser: Browser, service: Service, jobs: list[str]) -> None:
    """Chosen in the list, held against one another; refused where numbers do not mean the same."""
    with Reader(browser, service.url) as reader:
        # Other tests' jobs are newer, and may fill the first page of the whole list.
        page = reader.open("/jobs?tag=shared")
        for job_id in jobs[:2]:
            page.get_by_label(f"Compare {job_id}").check()
        page.get_by_role("button", name="Compare the chosen jobs").click()
        expect(page.locator("figure").first).to_be_visible()
        expect(page.get_by_role("heading", name=re.compile("McNemar|one alone")).first).to_be_visible()
        reader.open(f"/compare?job={jobs[0]}&job={jobs[2]}")
        expect(page.get_by_role("alert")).to_contain_text("sigma")
        page.get_by_role("link", name="Compare anyway").click()
        expect(page.get_by_text("Not comparable.")).to_be_visible()


def test_a_job_is_run_again_marked_and_deleted(browser: Browser, service: Service, jobs: list[str]) -> None:
    """A second look says that it is one, has other noise, and can be removed."""
    with Reader(browser, service.url) as reader:
        page = reader.open(f"/jobs/{jobs[0]}")
        page.get_by_role("button", name="Run again with fresh noise").click()
        expect(page.get_by_text("A second look.")).to_be_visible()
        expect(page.get_by_role("link", name=f"rerun-of-{jobs[0]}")).to_be_visible()
        job_id = page.url.rpartition("/")[2]
        again, before = service.client.wait(job_id), service.client.job(jobs[0])
        assert again["certification"]["seed"] != before["certification"]["seed"]
        assert {**again["certification"], "seed": 0} == {**before["certification"], "seed": 0}
        page.reload()
        page.get_by_text("Delete", exact=True).click()
        page.get_by_role("button", name="Delete this job").click()
        page.wait_for_url("**/jobs")
        reader.open(f"/jobs/{job_id}")
        expect(page.get_by_role("alert")).to_contain_text("deleted")
        reader.expect_refusal()


def test_everything_works_without_scripts(browser: Browser, service: Service, jobs: list[str]) -> None:
    """Forms, filters, figures and the progress of a running job need no JavaScript."""
    with Reader(browser, service.url, java_script_enabled=False) as reader:
        page = reader.open("/submit?dataset=digits")
        page.get_by_label("n", exact=True).fill("200000")
        page.get_by_role("button", name="Certify").click()
        page.wait_for_url("**/jobs/job_*")
        assert (
            page.locator("noscript meta[http-equiv=refresh]").count()
            or page.locator("meta[http-equiv=refresh]").count()
        )
        page.get_by_role("button", name="Cancel").click()
        page = reader.open(f"/jobs/{jobs[0]}?outcome=certified")
        expect(page.locator("figure svg").first).to_be_visible()
        page.get_by_text("As a LaTeX table").click()
        expect(page.locator("#latex")).to_contain_text("\\toprule")
        expect(page.get_by_role("button", name="Copy")).to_be_hidden()
        page.locator("figure summary").first.click()
        expect(page.locator("figure table").first).to_be_visible()


def test_the_keyboard_reaches_everything(browser: Browser, service: Service, jobs: list[str]) -> None:
    """Skip link, navigation, form and details without a mouse; focus can always be seen."""
    with Reader(browser, service.url) as reader:
        page = reader.open("/jobs")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="New job")).to_be_focused()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url("**/submit")
        for name, text in (("dataset", "digits"), ("n", "1000")):
            _tab_to(page, f"#{name}")
            page.keyboard.type(text)
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs/job_*")
        expect(page.get_by_text("20 of 20 images")).to_be_visible()
        reader.open(f"/jobs/{jobs[0]}")
        _tab_to(page, "figure summary")
        page.keyboard.press("Enter")
        expect(page.locator("figure table").first).to_be_visible()


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"the keyboard does not reach {selector}")


def test_the_table_is_copied_as_latex(browser: Browser, service: Service, jobs: list[str]) -> None:
    """What the button copies is what the page shows, and what the interface answers."""
    with Reader(browser, service.url, permissions=["clipboard-read", "clipboard-write"]) as reader:
        page = reader.open(f"/jobs/{jobs[0]}")
        page.get_by_text("As a LaTeX table").click()
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        answer = page.request.get(f"/v1/jobs/{jobs[0]}/report/tables/results.tex")
        assert copied.strip() == answer.text().strip()


def test_a_reader_signs_in_with_a_key(browser: Browser, tmp_path: Path) -> None:
    """A page that was asked for is shown after the sign-in; downloads work; signing out ends it."""
    token = KeyStore(tmp_path / "keys.json").create("alice", (Scope.READ, Scope.SUBMIT))[1].text()
    with running(tmp_path, key=token) as service, Reader(browser, service.url) as reader:
        page = reader.open("/jobs?tag=mine")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        reader.look("sign-in")
        page.get_by_label("Key").fill("certd_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        reader.expect_refusal()
        page.get_by_label("Key").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/jobs?tag=mine")
        reader.open("/jobs")
        expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
        reader.look("jobs-empty")
        assert "key" not in page.content().replace("keyboard", "").split("<main")[1]
        page.goto("/submit?dataset=digits")
        page.get_by_label("n", exact=True).fill("1000")
        page.get_by_role("button", name="Certify").click()
        expect(page.get_by_text("20 of 20 images")).to_be_visible()
        page.reload()
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        assert download.value.path().read_text().count("\n") == 21
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        reader.open("/jobs")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_failed_job_says_why(browser: Browser, tmp_path: Path) -> None:
    """The evidence is on the page of the job."""
    with (
        running(tmp_path / "data", CERTD_MODELS=failing_model(tmp_path / "models")) as service,
        Reader(browser, service.url) as reader,
    ):
        job_id = service.client.submit({**SMALL, "model": "broken"})["id"]
        page = reader.open(f"/jobs/{job_id}")
        expect(page.locator("#progress .badge")).to_contain_text("failed", timeout=60_000)
        expect(page.locator("#progress").get_by_role("alert")).to_be_visible()
        reader.look("job-failed")


def test_a_service_that_went_away_is_told_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    """What was shown stays, with a word that it is from before; then the page goes on by itself."""
    with running(tmp_path) as service:
        job_id = service.client.submit(LONG)["id"]
        reader = Reader(browser, service.url)
        page = reader.open(f"/jobs/{job_id}")
        expect(page.locator("#proved figure").first).to_be_visible()
        page.context.set_offline(True)
        expect(page.locator("#connection")).to_contain_text("does not answer")
        expect(page.locator("#proved figure").first).to_be_visible()
        reader.look("job-away")
        page.context.set_offline(False)
        expect(page.locator("#connection")).to_have_text("", timeout=60_000)
        service.client.cancel(job_id)
