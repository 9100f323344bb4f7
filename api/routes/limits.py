"""What one request may ask for."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Authenticated
from api.body import MAX_REQUEST_PART_BYTES
from api.preferences import MAX_WAIT_SECONDS
from api.schemas import LimitsView
from api.services import Provided

router = APIRouter(prefix="/v1/limits", tags=["jobs"])


@router.get("")
def limits(services: Provided, caller: Authenticated) -> LimitsView:
    """Say where requests are refused, before one is sent."""
    settings = services.settings
    return LimitsView(
        max_body_bytes=settings.max_body_bytes,
        max_options_bytes=MAX_REQUEST_PART_BYTES,
        max_upload_bytes=settings.max_upload_bytes,
        max_images=settings.max_images,
        max_draws=settings.max_draws,
        max_draws_per_day=caller.max_draws_per_day or settings.max_draws_per_day,
        max_unfinished_jobs=settings.max_unfinished_jobs,
        max_wait_seconds=MAX_WAIT_SECONDS,
        expire_days=settings.expire_days,
    )
