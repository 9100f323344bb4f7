"""The registered data sets."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas import DatasetList, DatasetView
from api.services import Provided
from certd.datasets import describe_datasets

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


@router.get("")
def list_datasets(services: Provided) -> DatasetList:
    """List what jobs can name. Operators register sets; a request opens no path."""
    found = describe_datasets(registry=services.settings.datasets)
    return DatasetList(
        datasets=[DatasetView(name=name, description=text) for name, text in sorted(found.items())]
    )
