"""A submission: checked whole, then stored and queued."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from api.admission import admit
from api.auth import find_own
from api.once import Stored, stored_once
from api.uploads import UploadedFile, decode_uploads
from certd.datasets import load_dataset, to_labels
from certd.datasets.decoding import DecodingLimits
from certd.errors import InvalidParameter, ShapeMismatch
from certd.jobs.inputs import Inputs
from certd.models import Specification, find_model, mixing_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from api.services import Services
    from certd.access import Caller
    from certd.jobs.job import Job
    from certd.jobs.request import JobRequest


@dataclass(frozen=True, slots=True)
class Submission:
    """A request and the files that came with it."""

    request: JobRequest
    files: list[UploadedFile]
    services: Services
    caller: Caller
    idempotency_key: str | None = None

    def store(self) -> Stored:
        """Check everything, store the job and queue it; a key that came before finds its job.

        Raises:
            InvalidRequest: If the job cannot be done as asked; nothing is stored then.
            Conflict: If a request with the same key is still being read.
        """
        return stored_once(self.services, self.caller, self.idempotency_key, self._fingerprint, self._create)

    def _fingerprint(self) -> str:
        """Return the digest of all that was sent."""
        digest = hashlib.sha256(self.request.model_dump_json().encode())
        for file in self.files:
            digest.update(hashlib.sha256(file.name.encode()).digest())
            digest.update(hashlib.sha256(file.content).digest())
        return digest.hexdigest()

    def _create(self, job_id: str) -> Job:
        model = find_model(self.request.model, registry=self.services.settings.models)
        inputs = self._inputs(model)
        certification = self.request.resolve(
            model.reference, labelled=inputs.labels is not None, mixing=mixing_of(model)
        )
        return admit(
            self.services,
            self.caller,
            job_id,
            certification,
            inputs,
            self.request.dataset,
            self.request.tags,
        )

    def _inputs(self, model: Specification) -> Inputs:
        if [self.request.dataset is None, not self.files, self.request.upload is None].count(False) != 1:
            raise InvalidParameter(
                "Send images in one way: files in multipart parts named `images`, the name of a data set as "
                "`dataset`, or the id of a file in /v1/uploads as `upload`.",
                pointer="/dataset",
            )
        inputs = self._uploaded(model) if self.request.dataset is None else self._named(model)
        if not len(inputs):
            raise InvalidParameter("The array holds no images; send at least one.", pointer="/images")
        return inputs

    def _uploaded(self, model: Specification) -> Inputs:
        limits = DecodingLimits(max_images=self.services.settings.max_images)
        images, labels = decode_uploads(self._files(), model, limits, self.request.layout)
        if self.request.labels is not None:
            labels = to_labels(np.asarray(self.request.labels), len(images), model.num_classes)
        return Inputs(self._ids(len(images)), images, labels)

    def _files(self) -> list[UploadedFile]:
        """Return what was sent, now or before; another owner's upload is as absent as one that never was."""
        if self.request.upload is None:
            return self.files
        found = find_own(self.services, self.caller, self.request.upload)
        return [UploadedFile(found.name, self.services.uploads.read(found.id))]

    def _ids(self, num_images: int) -> NDArray[np.uint64]:
        asked = self.request.image_ids
        if asked is None:
            return np.arange(num_images, dtype=np.uint64)
        if len(asked) != num_images or len(set(asked)) != num_images:
            raise InvalidParameter(
                f"{num_images} images need as many image_ids, all different; got {len(asked)}.",
                pointer="/image_ids",
            )
        return np.array(asked, dtype=np.uint64)

    def _named(self, model: Specification) -> Inputs:
        for name in ("labels", "image_ids"):
            if getattr(self.request, name) is not None:
                raise InvalidParameter(
                    f"A data set brings its own {name}; leave `{name}` out.", pointer=f"/{name}"
                )
        whole = load_dataset(self.request.dataset or "", registry=self.services.settings.datasets)
        chosen = whole.select(
            skip=self.request.skip,
            start=self.request.start,
            stop=self.request.stop,
            limit=self.request.limit,
            indices=self.request.indices,
            sample=self.request.sample,
            sample_seed=self.request.sample_seed,
        )
        if chosen.input_shape != model.input_shape:
            raise ShapeMismatch(
                f"{model.name} takes images of shape {model.input_shape}; "
                f"{whole.name} has {chosen.input_shape}.",
                pointer="/dataset",
            )
        return Inputs.of_dataset(chosen)
