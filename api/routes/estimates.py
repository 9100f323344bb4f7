"""Estimates: draws, seconds and the largest radius, before anything is spent."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends

from api.body import options_of
from api.schemas import EstimateView
from api.services import Provided
from certd.jobs.request import EstimateRequest
from certd.models import find_model, mixing_of
from certd.smoothing.estimate import estimate
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.plans import require_light

router = APIRouter(prefix="/v1/estimate", tags=["jobs"])

Asked = Annotated[EstimateRequest, Depends(options_of(EstimateRequest))]


@router.post("")
def estimate_job(request: Asked, services: Provided) -> EstimateView:
    """Say what a job would cost and reach; settings that cannot certify are refused as on submission."""
    model = find_model(request.model, registry=services.settings.models)
    certification = request.resolve(model.reference, labelled=request.labelled, mixing=mixing_of(model))
    guarantee = Guarantee.of(certification.noise, certification.norm, model.input_shape)
    speed = services.draws_per_second(model.reference)
    expected = estimate(certification, guarantee, request.num_images, model.num_classes, speed)
    require_light(certification.plan, guarantee, certification.check_draws)
    return EstimateView(plan=certification.plan.model_dump(mode="json"), **asdict(expected))
