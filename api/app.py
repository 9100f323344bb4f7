"""The application: routes, errors and limits around the services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from api import errors, metrics
from api.auth import Authentication, require_visible_jobs
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
    uploads,
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
    )
    app.state.services = services
    app.state.metrics = metrics.ServiceMetrics(services)
    # The last one added is the outermost: a request is logged, then admitted, then read.
    app.add_middleware(BodyLimit, max_bytes=services.settings.max_body_bytes)
    app.add_middleware(Authentication, store=KeyStore(services.settings.key_file))
    app.add_middleware(RequestLog, observe=app.state.metrics.observe)
    errors.install(app)
    app.include_router(health.router)
    for routes in (metrics, limits, uploads, models, datasets, estimates, jobs, events, results, comparisons):
        app.include_router(routes.router, dependencies=[Depends(require_visible_jobs)])
    return app
