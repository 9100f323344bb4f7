"""Turns a sweep into what a reader sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.schemas import SweepRun, SweepRuns, SweepView
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from api.services import Services
    from certd.jobs.job import Job
    from certd.jobs.sweep import Sweep


def sweep_view(services: Services, job: Job, sweep: Sweep) -> SweepView:
    """Return what a job sweeps over, in numbers, and how many of its runs are done."""
    question = sweep.question
    finished = services.storage.finished_shards(job.id)
    left = {shard.run for shard in job.shards if shard.index not in finished}
    return SweepView(
        ingredients=[reference.partition("@")[0] for reference in question.ingredients],
        units=question.units,
        soups=len(question.grid),
        ensemble=question.ensemble,
        sigmas=list(question.sigmas),
        images=job.inputs.num_images,
        threats=list(sweep.threats),
        top_k=sweep.top_k,
        calibrated=question.calibration is not None,
        runs_total=job.num_runs,
        runs_done=job.num_runs - len(left),
    )


def sweep_runs(services: Services, job: Job, sweep: Sweep) -> SweepRuns:
    """Return the question of a sweep, whole, and where each of its runs stands."""
    storage, question = services.storage, sweep.question
    finished, certified = storage.finished_shards(job.id), storage.certified_shards(job.id)
    runs = []
    for number, (member, sigma) in enumerate(question.runs):
        shards = storage.run_shards(job.id, number)
        refused = next((shard.index for shard in shards if shard.index in finished - certified), None)
        runs.append(
            SweepRun(
                run=number,
                name=question.name(member),
                weights=None if isinstance(member, str) else list(question.grid[member]),
                sigma=sigma,
                images_done=sum(len(shard) for shard in shards if shard.index in certified),
                done=all(shard.index in finished for shard in shards),
                refused=None if refused is None else storage.read_refusal(job.id, refused),
            )
        )
    return SweepRuns(job_id=job.id, question=question.model_dump(mode="json"), runs=runs)


def sweep_of(job: Job) -> Sweep:
    """Return what a job sweeps over.

    Raises:
        InvalidParameter: If it is no sweep.
    """
    if job.sweep is None:
        raise InvalidParameter(f"Job {job.id} is no sweep; its results are at /v1/jobs/{job.id}.")
    return job.sweep
