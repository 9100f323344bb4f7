"""What can be certified: models and data sets."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.dashboard.rendering import respond
from api.routes.datasets import list_datasets
from api.routes.models import list_models
from api.services import Provided

router = APIRouter(include_in_schema=False)


@router.get("/models")
def catalogue(request: Request, services: Provided) -> Response:
    """Show what the operator registered."""
    models = list_models(services).models
    speeds = {model.name: services.draws_per_second(model.reference) for model in models}
    return respond(
        request,
        "catalogue",
        models=models,
        speeds=speeds,
        datasets=list_datasets(services).datasets,
        json_twin="/v1/models",
    )
