"""The application: routes, errors and limits around the services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from api import errors
from api.limits import BodyLimit
from api.routes import comparisons, datasets, estimates, health, jobs, models, results
from certd._version import __version__

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
    app.add_middleware(BodyLimit, max_bytes=services.settings.max_body_bytes)
    errors.install(app)
    for routes in (health, models, datasets, estimates, jobs, results, comparisons):
        app.include_router(routes.router)
    return app
