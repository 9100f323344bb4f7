"""Opens the run that a shard belongs to: its classifier, executed as the job began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import ModelError
from certd.jobs.begun import Begun

if TYPE_CHECKING:
    from certd.jobs.job import Job
    from certd.jobs.shards import Shard
    from certd.jobs.storage import JobStorage
    from certd.jobs.sweep import Sweep
    from certd.models.runtime.arithmetic import Execution
    from certd.smoothing.certifier import Certifier
    from workers.models import ModelCache

OF_THE_WEIGHTS = frozenset(
    {
        "normalisation_folded",
        "batch_norms_folded",
        "batch_norms_left",
        "convolutions_fused",
        "convolutions_widened",
        "channels_last",
    }
)
"""What may differ between the soups of a sweep on one machine; all else is the machine's or was asked for."""


class RunOpener:
    """Makes certifiers, the same for a run whoever asks.

    Args:
        storage: Where it is pinned how a job is executed.
        models: The classifiers.
    """

    def __init__(self, storage: JobStorage, models: ModelCache) -> None:
        self._storage = storage
        self._models = models

    def certifier(self, job: Job, shard: Shard) -> Certifier:
        """Return a certifier that executes the classifier as the job began.

        Raises:
            ModelError: If this worker would execute it otherwise: its counts would be another classifier's.
            NegativeVariance: If the shard's soup is no network.
        """
        return self._of_job(job) if job.sweep is None else self._of_sweep(job, job.sweep, shard)

    def _of_job(self, job: Job) -> Certifier:
        begun, num_images = self._storage.read_execution(job.id), job.inputs.num_images
        certifier = self._models.certifier(job.certification, num_images, begun, job.recipe)
        pinned = self._storage.pin_execution(job.id, certifier.execution)
        if begun is None and pinned != certifier.execution:
            # Another worker began at the same moment, and settled what the job leaves open otherwise.
            certifier = self._models.certifier(job.certification, num_images, pinned, job.recipe)
        if pinned != certifier.execution:
            raise _otherwise(certifier.execution, pinned)
        return certifier

    def _of_sweep(self, job: Job, sweep: Sweep, shard: Shard) -> Certifier:
        """Return a certifier of one soup under one noise level.

        Two things are pinned: for the whole sweep what is the machine's, so that soups differ by their
        weights alone; for each run which classifier it is to the last bit.
        """
        member, sigma = sweep.question.runs[shard.run]
        recipe = sweep.question.recipe(member)
        classifier = self._models.cook(recipe)
        certification = sweep.question.certification(classifier.reference, sigma)
        settled = self._storage.read_execution(job.id)
        certifier = self._models.certifier(certification, job.inputs.num_images, settled, recipe)
        pinned = self._storage.pin_execution(job.id, certifier.execution)
        if _machine(pinned) != _machine(certifier.execution):
            raise _otherwise(certifier.execution, pinned)
        ours = Begun(model=classifier.reference, execution=certifier.execution)
        begun = self._storage.begin_run(job.id, shard.run, ours)
        if begun.model != ours.model:
            raise ModelError(
                f"This worker makes {ours.model} of a recipe of which another made {begun.model}. Start a "
                "sweep's workers on machines of one kind, with equal CERTD_THREADS."
            )
        if begun != ours:
            raise _otherwise(ours.execution, begun.execution)
        return certifier


def _machine(execution: Execution) -> dict[str, object]:
    return execution.model_dump(exclude=set(OF_THE_WEIGHTS))


def _otherwise(here: Execution, pinned: Execution) -> ModelError:
    return ModelError(
        "This worker would execute the classifier otherwise than the job began: "
        f"{here} in place of {pinned}. Start a job's workers on machines of one kind, with equal "
        "CERTD_THREADS."
    )
