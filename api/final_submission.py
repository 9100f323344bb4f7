"""The final certificate of the soup that a sweep chose: an ordinary job on other images with fresh noise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.admission import admit
from api.once import Stored, stored_once
from api.sweep_submission import images_of
from api.sweep_views import sweep_of
from certd.errors import Conflict, InvalidParameter
from certd.jobs.inputs import Inputs
from certd.jobs.job import JobStatus
from certd.jobs.request import FINAL_OF
from certd.jobs.sweep_rendering import report_of_job
from certd.models import find_model
from certd.smoothing.request import parse_request
from certd.smoothing.soup_choice import choice_marks, fresh_seed

if TYPE_CHECKING:
    from api.services import Services
    from certd.access import Caller
    from certd.jobs.job import Job
    from certd.jobs.sweep import Sweep
    from certd.jobs.sweep_request import FinalRequest


@dataclass(frozen=True, slots=True)
class FinalSubmission:
    """A request to certify the soup that the sweep ``job_id`` chose."""

    request: FinalRequest
    job_id: str
    services: Services
    caller: Caller
    idempotency_key: str | None = None

    def store(self) -> Stored:
        """Check everything, store the job and queue it; a key that came before finds its job.

        Raises:
            InvalidRequest: If images or noise chose the soup, or the job cannot be done as asked.
            Conflict: If the sweep has not ended, or its soup is no network.
        """
        return stored_once(self.services, self.caller, self.idempotency_key, self._fingerprint, self._create)

    def _fingerprint(self) -> str:
        return hashlib.sha256(f"final {self.job_id} {self.request.model_dump_json()}".encode()).hexdigest()

    def _create(self, job_id: str) -> Job:
        asked, services = self.request, self.services
        swept = services.storage.read(self.job_id)
        sweep = sweep_of(swept)
        question = sweep.question
        member = question.grid.index(self._weights(swept, sweep))
        seed = fresh_seed(question, asked.seed)
        first = find_model(question.ingredients[0], registry=services.settings.models)
        dataset = asked.dataset or question.dataset
        images = images_of(services, dataset, asked, first)
        marks = choice_marks(question, self._seen(swept), images, force=asked.force)
        options = {**asked.options(asked.n), "sigma": asked.sigma, "seed": seed}
        reference = self._reference(swept, sweep, member)
        request = parse_request({**options, "model": reference.partition("@")[0]})
        return admit(
            services,
            self.caller,
            job_id,
            request.resolve(reference, labelled=True),
            Inputs.of_dataset(images),
            dataset,
            (f"{FINAL_OF}{self.job_id}", *asked.tags),
            recipe=question.recipe(member),
            marks=marks,
        )

    def _weights(self, job: Job, sweep: Sweep) -> tuple[int, ...]:
        """Return the weights of the soup that is meant."""
        if self.request.weights is not None:
            named = tuple(self.request.weights)
            if named not in sweep.question.grid:
                raise InvalidParameter(
                    "This sweep has no soup of those weights; certify one of its grid.", pointer="/weights"
                )
            return named
        outcome = self.services.storage.read_outcome(job.id)
        if outcome is None or outcome.status is not JobStatus.SUCCEEDED:
            raise Conflict("This sweep is not finished; wait for its end, or name a soup by its weights.")
        best = report_of_job(self.services.storage, job, sweep, self.request.threats).best(1)
        if not best:
            raise Conflict("No soup of this sweep is a network, so there is no best one.")
        return best[0].weights or ()

    def _reference(self, job: Job, sweep: Sweep, member: int) -> str:
        """Return the soup as the sweep's workers made it, pinned by its digest."""
        storage = self.services.storage
        begun = storage.read_begun(job.id, member * len(sweep.question.sigmas))
        if begun is None:
            raise Conflict("This soup was not certified in the sweep: it is no network, or not begun yet.")
        return begun.model

    def _seen(self, job: Job) -> set[str]:
        """Return the digests of the images that the sweep saw, as far as it came."""
        storage = self.services.storage
        certified = storage.certified_shards(job.id)
        seen: dict[tuple[int, int], int] = {}
        for shard in job.shards:
            if shard.index in certified:
                seen.setdefault((shard.start, shard.stop), shard.index)
        parts = (storage.read_shard(job.id, index) for index in seen.values())
        return {one.record.image_sha256 for part in parts for one in part.certificates}
