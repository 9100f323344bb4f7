"""Admission: the last step of every way to a job, where it is checked, charged, stored and queued."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError

from api.request_log import current_request_id
from certd.errors import CertdError, TooLarge
from certd.jobs.job import Job, JobInputs, utc_now
from certd.jobs.request import RERUN_OF
from certd.jobs.shards import cut, cut_runs
from certd.models import find_model
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.plans import require_light
from certd.smoothing.request import SEED_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.services import Services
    from certd.access import Caller
    from certd.jobs.inputs import Inputs
    from certd.jobs.sweep import Sweep
    from certd.models.recipe import Recipe
    from certd.noise.specification import NoiseSpecification
    from certd.smoothing.request import Certification

log = structlog.get_logger("api")


def admit(  # noqa: PLR0913, PLR0917 - the parts of a job
    services: Services,
    caller: Caller,
    job_id: str,
    certification: Certification,
    inputs: Inputs,
    dataset: str | None,
    tags: Sequence[str],
    *,
    sweep: Sweep | None = None,
    recipe: Recipe | None = None,
    marks: tuple[str, ...] = (),
) -> Job:
    """Store a job and queue it.

    Args:
        services: Where to.
        caller: Who asks, and is charged.
        job_id: Its id.
        certification: What is asked; of a sweep, what all its runs share.
        inputs: The images.
        dataset: Name of the data set, if they are of one.
        tags: Words of the sender's.
        sweep: Over which soups, where it is a sweep; charged whole.
        recipe: Of what the model is made, where it is not registered.
        marks: What spoils the run.

    Raises:
        InvalidRequest: If the settings cannot certify these images; nothing is stored then.
        TooLarge: If it could cost more draws than one job may.
        QuotaExceeded: If the caller has asked for its share already.
        Unavailable: If the service has as many unfinished jobs as it takes.
    """
    model = find_model(_registered(certification, sweep, recipe), registry=services.settings.models)
    plan = certification.procedure
    guarantees = [
        Guarantee.of(noise, certification.norm, model.input_shape)
        for noise in noises_of(certification, sweep)
    ]
    for guarantee in guarantees:
        plan.check(guarantee, model.num_classes)
        require_light(certification.plan, guarantee, certification.check_draws)
    speed = services.draws_per_second(model.reference)
    run = cut(len(inputs), plan.max_draws, speed, services.settings.shard_seconds)
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
        max_radius=max(plan.max_radius(guarantee) for guarantee in guarantees),
        shards=run if sweep is None else cut_runs(sweep.num_runs, run),
        owner=caller.owner,
        request_id=current_request_id(),
        tags=tuple(dict.fromkeys(tags)),
        sweep=sweep,
        recipe=recipe,
        marks=marks,
    )
    _require_affordable(job.max_draws, services.settings.max_draws)
    services.backpressure.require_room()
    with services.quota.charged(caller, job.max_draws):
        services.storage.create(job, inputs)
    _dispatch(services, job)
    return job


def rerun(services: Services, caller: Caller, job_id: str, again_id: str) -> Job:
    """Ask a job's question again with fresh noise, and mark the new job as what it is.

    Each of the two runs holds by itself. Whichever of them one prefers after looking at both holds at twice
    alpha only, so a re-run never goes unmarked.

    Args:
        services: Where the job lies.
        caller: Who asks, and is charged.
        job_id: The job.
        again_id: The id of the new one.

    Raises:
        NotFound: If the model of that digest is no longer registered.
    """
    job = services.storage.read(job_id)
    seed = {"seed": secrets.randbits(SEED_BITS)}
    certification, sweep = job.certification.model_copy(update=seed), job.sweep
    if sweep is not None:
        question = sweep.question.model_copy(update=seed)
        sweep = sweep.model_copy(update={"question": question})
        certification = certification.model_copy(update={"model": question.reference})
    kept = (tag for tag in job.tags if not tag.startswith(RERUN_OF))
    return admit(
        services,
        caller,
        again_id,
        certification,
        services.storage.read_inputs(job_id),
        job.inputs.dataset,
        (*kept, f"{RERUN_OF}{job_id}"),
        sweep=sweep,
        recipe=job.recipe,
        marks=job.marks,
    )


def noises_of(certification: Certification, sweep: Sweep | None) -> list[NoiseSpecification]:
    """Return the noise of every run of the job, each once."""
    if sweep is None:
        return [certification.noise]
    question = sweep.question
    return [question.certification(certification.model, sigma).noise for sigma in question.sigmas]


def _dispatch(services: Services, job: Job) -> None:
    """Queue a stored job. If that fails, it is no failure of the request: the reconciler finds the job."""
    try:
        services.dispatcher.dispatch(job)
    except (RedisError, CertdError) as error:
        log.warning("dispatch_failed", job_id=job.id, detail=str(error))


def _registered(certification: Certification, sweep: Sweep | None, recipe: Recipe | None) -> str:
    """Return a registered model that takes the job's images: the model itself, or what it is made of."""
    if sweep is not None:
        return sweep.question.ingredients[0]
    return certification.model if recipe is None else recipe.ingredients[0]


def _require_affordable(draws: int, limit: int) -> None:
    if draws > limit:
        raise TooLarge(
            f"This job could cost {draws:,} noise draws; the limit is {limit:,}. "
            "Send fewer images or ask for a smaller n; of a sweep, ask for fewer soups.",
            max_draws=limit,
            draws_asked=draws,
        )
