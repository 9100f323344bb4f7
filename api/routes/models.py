"""The registered models."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas import ModelList, ModelView
from api.services import Provided
from certd.models import EnsembleSpecification, Specification, find_model, mixing_of, model_names, soup_of

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
def list_models(services: Provided) -> ModelList:
    """List what can be certified. Models are registered by operators and never arrive by HTTP."""
    registry = services.settings.models
    names = model_names(registry=registry)
    return ModelList(models=[_view(find_model(name, registry=registry)) for name in names])


def _view(model: Specification) -> ModelView:
    mixing, soup = mixing_of(model), soup_of(model)
    return ModelView(
        name=model.name,
        reference=model.reference,
        description=model.description,
        architecture=model.architecture,
        input_shape=model.input_shape,
        num_classes=model.num_classes,
        training_sigma=model.training_sigma,
        mixture=None if mixing is None else mixing.model_dump(mode="json"),
        soup=None if soup is None else soup.model_dump(mode="json"),
        ensemble=list(model.ensemble) if isinstance(model, EnsembleSpecification) else None,
    )
