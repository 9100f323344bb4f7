"""Puts the dashboard into the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from api.auth import require_visible_jobs
from api.dashboard import (
    catalogue,
    compare_page,
    image_page,
    job_actions,
    job_list,
    job_page,
    sign_in,
    submit_page,
    submit_sweep_page,
    worker_page,
)
from api.dashboard.rendering import STATIC_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

# The door stands open; everything behind it hides what its reader may not see.
PAGES = (
    job_list, submit_page, submit_sweep_page, compare_page, worker_page, catalogue,
    job_page, image_page, job_actions,
)  # fmt: skip


def install(app: FastAPI) -> None:
    """Serve the pages beside the REST routes; the interface's description does not list them."""
    app.mount("/static", StaticFiles(directory=STATIC_FOLDER), name="static")
    app.include_router(sign_in.router)
    for page in PAGES:
        app.include_router(page.router, dependencies=[Depends(require_visible_jobs)])


def routes() -> Iterator[tuple[str, str]]:
    """Yield the method and path of every page and form behind the door, ids as placeholders."""
    for page in PAGES:
        for route in page.router.routes:
            if isinstance(route, APIRoute):
                yield from ((method, route.path) for method in sorted(route.methods or ()))
