"""A real browser for the dashboard's tests, and what holds on every page it opens."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator

SCREENSHOTS = "SCREENSHOTS"
"""Environment variable: a folder for pictures of every page and state; without it none are kept."""
WIDE, NARROW = 1200, 390


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, or skip where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        skip_or_fail("chromium is not installed; Debian's package of that name has it")
    with sync_playwright() as playwright:
        # The sandbox needs rights that containers do not give; the pages are our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """Somebody who looks at one service. Closing checks what must hold on every page that was opened.

    Args:
        browser: The browser.
        url: The service.
        dark: Whether dark pages are preferred.
        width: Of the window, in CSS pixels.
        **options: Of the browser's context.
    """

    def __init__(
        self, browser: Browser, url: str, *, dark: bool = False, width: int = WIDE, **options: Any
    ) -> None:
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": 900}
        self._context = browser.new_context(base_url=url, color_scheme=scheme, viewport=size, **options)  # type: ignore[arg-type]
        self._context.set_default_timeout(20_000)
        self._host = urlsplit(url).netloc
        self._name = f"{scheme}-{width}"
        self.width = width
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        self.page: Page = self._context.new_page()
        self.page.on("request", lambda request: self._note(request.url))
        # The policy's violations are told there too.
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._context.close()
        if kind is None:
            assert self.foreign == [], "a request left the host"
            assert self.complaints == [], "the browser complained"

    def _note(self, url: str) -> None:
        if urlsplit(url).netloc != self._host:
            self.foreign.append(url)

    def expect_refusal(self) -> None:
        """Forget that the browser noted the status of a refused page."""
        assert all("Failed to load resource" in text for text in self.complaints), self.complaints
        self.complaints.clear()

    def open(self, path: str) -> Page:
        """Open a page of the service."""
        self.page.goto(path)
        return self.page

    def look(self, name: str) -> None:
        """Check what holds on every page, and keep a picture of it where pictures are wanted."""
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width, f"{name} is too wide"
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            path = Path(folder) / f"{name}-{self._name}.png"
            # Pictures below the fold are loaded when they come into view.
            self.page.evaluate(
                "document.querySelectorAll('img').forEach(each => { each.loading = 'eager'; })"
            )
            self.page.wait_for_load_state("networkidle")
            self.page.screenshot(path=path, full_page=True)
