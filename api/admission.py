"""Admission: the last step of every way to a job, where it is checked, charged, stored and queued."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from api.request_log import current_request_id
from certd.errors import TooLarge
from certd.jobs.job import Job, JobInputs, new_job_id, utc_now
from certd.jobs.shards import cut
from certd.models import find_model
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.request import SEED_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.services import Services
    from certd.access import Caller
    from certd.jobs.inputs import Inputs
    from certd.smoothing.request import Certification

RERUN = "rerun-of-"


def admit(  # noqa: PLR0913, PLR0917 - the parts of a job
    services: Services,
    caller: Caller,
    job_id: str,
    certification: Certification,
    inputs: Inputs,
    dataset: str | None,
    tags: Sequence[str],
) -> Job:
    """Store a job and queue it.

    Raises:
        InvalidRequest: If the settings cannot certify these images; nothing is stored then.
        TooLarge: If it could cost more draws than one job may.
        QuotaExceeded: If the caller has asked for its share already.
        Unavailable: If the service has as many unfinished jobs as it takes.
    """
    model = find_model(certification.model, registry=services.settings.models)
    plan = certification.procedure
    guarantee = Guarantee.of(certification.noise, certification.norm, model.input_shape)
    plan.check(guarantee, model.num_classes)
    _require_affordable(len(inputs) * plan.max_draws, services.settings.max_draws)
    speed = services.draws_per_second(model.reference)
    job = Job(
        id=job_id,
        created_at=utc_now(),
        certification=certification,
        inputs=JobInputs(
            dataset=dataset,
            num_images=len(inputs),
            labelled=inputs.labels is not None,
            sha256=inputs.sha256(),
        ),
        max_radius=plan.max_radius(guarantee),
        shards=cut(len(inputs), plan.max_draws, speed, services.settings.shard_seconds),
        owner=caller.owner,
        request_id=current_request_id(),
        tags=tuple(dict.fromkeys(tags)),
    )
    services.backpressure.require_room()
    with services.quota.charged(caller, job.max_draws):
        services.storage.create(job, inputs)
    services.dispatcher.dispatch(job)
    return job


def rerun(services: Services, caller: Caller, job_id: str) -> Job:
    """Ask a job's question again with fresh noise, and mark the new job as what it is.

    Each of the two runs holds by itself. Whichever of them one prefers after looking at both holds at twice
    alpha only, so a re-run never goes unmarked.

    Raises:
        NotFound: If the model of that digest is no longer registered.
    """
    job = services.storage.read(job_id)
    certification = job.certification.model_copy(update={"seed": secrets.randbits(SEED_BITS)})
    kept = (tag for tag in job.tags if not tag.startswith(RERUN))
    return admit(
        services,
        caller,
        new_job_id(),
        certification,
        services.storage.read_inputs(job_id),
        job.inputs.dataset,
        (*kept, f"{RERUN}{job_id}"),
    )


def _require_affordable(draws: int, limit: int) -> None:
    if draws > limit:
        raise TooLarge(
            f"This job could cost {draws:,} noise draws; the limit is {limit:,}. "
            "Send fewer images or ask for a smaller n.",
            max_draws=limit,
            draws_asked=draws,
        )
