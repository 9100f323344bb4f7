"""The application: routes, errors and limits around the services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from api import errors, metrics, openapi
from api.auth import Authentication, require_visible_jobs
from api.dashboard import installation as dashboard
from api.limits import BodyLimit
from api.request_log import RequestLog
from api.routes import (
    comparisons,
    datasets,
    estimates,
    events,
    health,
    jobs,
    limits,
    models,
    results,
    sweeps,
    uploads,
    workers,
)
from certd._version import __version__
from certd.access import KeyStore

if TYPE_CHECKING:
    from api.services import Services


def create_app(services: Services) -> FastAPI:
    """Return the REST application over ``services``."""
    app = FastAPI(
        title="certd",
        version=__version__,
        description="Randomized-smoothing certification: POST images, read certified radii.",
        # The framework's own pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.metrics = metrics.ServiceMetrics(services)
    # The last one added is the outermost: a request is logged, then admitted, then read.
    app.add_middleware(BodyLimit, max_bytes=services.settings.max_body_bytes)
    app.add_middleware(Authentication, store=KeyStore(services.settings.key_file), sessions=services.sessions)
    app.add_middleware(RequestLog, observe=app.state.metrics.observe)
    errors.install(app)
    app.include_router(health.router)
    # fmt: off
    described = (
        metrics, limits, workers, uploads, models, datasets, estimates, jobs, events, results, comparisons,
        sweeps,
    )
    # fmt: on
    for routes in described:
        app.include_router(routes.router, dependencies=[Depends(require_visible_jobs)])
    dashboard.install(app)
    openapi.install(app)
    return app
