"""A submission: checked whole, then stored and queued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from api.request_log import current_request_id
from api.uploads import UploadedFile, decode_uploads
from certd.datasets import load_dataset, to_labels
from certd.datasets.decoding import DecodingLimits
from certd.errors import InvalidParameter, ShapeMismatch, TooLarge
from certd.jobs.inputs import Inputs
from certd.jobs.job import Job, JobInputs, new_job_id, utc_now
from certd.jobs.shards import cut
from certd.models import ModelSpecification, find_model
from certd.smoothing.guarantee import Guarantee

if TYPE_CHECKING:
    from api.services import Services
    from certd.access import Caller
    from certd.jobs.request import JobRequest


@dataclass(frozen=True, slots=True)
class Submission:
    """A request and the files that came with it."""

    request: JobRequest
    files: list[UploadedFile]
    services: Services
    caller: Caller

    def store(self) -> Job:
        """Check everything, store the job and queue it.

        Raises:
            InvalidRequest: If the job cannot be done as asked; nothing is stored then.
        """
        model = find_model(self.request.model, registry=self.services.settings.models)
        inputs = self._inputs(model)
        certification = self.request.resolve(model.reference, labelled=inputs.labels is not None)
        plan = certification.procedure
        guarantee = Guarantee.of(certification.noise, certification.norm, model.input_shape)
        plan.check(guarantee, model.num_classes)
        self._check_budget(len(inputs) * plan.max_draws)
        speed = self.services.draws_per_second(model.reference)
        job = Job(
            id=new_job_id(),
            created_at=utc_now(),
            certification=certification,
            inputs=JobInputs(
                dataset=self.request.dataset,
                num_images=len(inputs),
                labelled=inputs.labels is not None,
                sha256=inputs.sha256(),
            ),
            max_radius=plan.max_radius(guarantee),
            shards=cut(len(inputs), plan.max_draws, speed, self.services.settings.shard_seconds),
            owner=self.caller.owner,
            request_id=current_request_id(),
        )
        self.services.backpressure.require_room()
        with self.services.quota.charged(self.caller, job.max_draws):
            self.services.storage.create(job, inputs)
        self.services.dispatcher.dispatch(job)
        return job

    def _inputs(self, model: ModelSpecification) -> Inputs:
        if (self.request.dataset is None) == (not self.files):
            raise InvalidParameter(
                "Send images: either files in multipart parts named `images`, or the name of a data set as "
                "`dataset`, and not both.",
                pointer="/dataset",
            )
        inputs = self._uploaded(model) if self.files else self._named(model)
        if not len(inputs):
            raise InvalidParameter("The array holds no images; send at least one.", pointer="/images")
        return inputs

    def _uploaded(self, model: ModelSpecification) -> Inputs:
        limits = DecodingLimits(max_images=self.services.settings.max_images)
        images, labels = decode_uploads(self.files, model, limits, self.request.layout)
        if self.request.labels is not None:
            labels = to_labels(np.asarray(self.request.labels), len(images), model.num_classes)
        return Inputs(np.arange(len(images), dtype=np.uint64), images, labels)

    def _named(self, model: ModelSpecification) -> Inputs:
        if self.request.labels is not None:
            raise InvalidParameter("A data set brings its own labels; leave `labels` out.", pointer="/labels")
        whole = load_dataset(self.request.dataset or "", registry=self.services.settings.datasets)
        chosen = whole.select(
            skip=self.request.skip,
            start=self.request.start,
            stop=self.request.stop,
            limit=self.request.limit,
            indices=self.request.indices,
        )
        if chosen.input_shape != model.input_shape:
            raise ShapeMismatch(
                f"{model.name} takes images of shape {model.input_shape}; "
                f"{whole.name} has {chosen.input_shape}.",
                pointer="/dataset",
            )
        return Inputs(chosen.image_ids, None, chosen.labels)

    def _check_budget(self, draws: int) -> None:
        limit = self.services.settings.max_draws
        if draws > limit:
            raise TooLarge(
                f"This job could cost {draws:,} noise draws; the limit is {limit:,}. "
                "Send fewer images or ask for a smaller n.",
                max_draws=limit,
                draws_asked=draws,
            )
