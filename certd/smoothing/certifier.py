"""The certifier: takes images through a plan, round by round, until every one of them is concluded."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from certd.datasets.selection import selection_digest
from certd.errors import InvalidParameter, ShapeMismatch
from certd.models.runtime.prepare import prepare
from certd.noise.sources import open_source
from certd.smoothing.certificate import Certificate
from certd.smoothing.draws import Draws, Phase, Record
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.manifest import Manifest, versions
from certd.smoothing.sampler import DrawRequest, ImageSet, Sampler
from certd.smoothing.standard import StandardOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from certd.models import BaseClassifier
    from certd.models.runtime.arithmetic import Execution
    from certd.models.runtime.prepared import PreparedClassifier
    from certd.noise.source import NoiseSource
    from certd.smoothing.request import Certification
    from certd.smoothing.votes import Votes


# A round is what an interruption can cost; more draws at once would not fill the batches better.
PIECE_DRAWS = 20_000


class Certifier:
    """Certify images of one set with one model, one noise and one plan.

    A certificate is false with probability at most the plan's alpha, over the draws of the noise. It speaks
    of the smoothed classifier of the base classifier as executed here.

    Args:
        classifier: The base classifier.
        certification: Model reference, noise, plan, seed and batch size, all settled.
        device: A torch device name.
        prepared: The classifier made ready for exactly this certification before, to save doing it again.

    Raises:
        CannotCertify: If no image could be certified under these settings.
        InvalidParameter: If the certification names another model.
    """

    def __init__(
        self,
        classifier: BaseClassifier,
        certification: Certification,
        device: str = "cpu",
        prepared: PreparedClassifier | None = None,
    ) -> None:
        if certification.model != classifier.reference:
            raise InvalidParameter(
                f"The certification names {certification.model}, the classifier is {classifier.reference}."
            )
        self._classifier = classifier
        if certification.mixing != classifier.mixing:
            raise InvalidParameter(
                "The certification and the classifier are not of one mixture; resolve the request with the "
                "classifier's mixing."
            )
        self._certification = certification
        self._plan = certification.procedure
        self._device = device
        self.guarantee = Guarantee.of(certification.noise, certification.norm, classifier.input_shape)
        self._plan.check(self.guarantee, classifier.num_classes)
        source = open_source(certification.noise, certification.seed)
        self._prepared = prepared or prepare(classifier, certification.execution, certification.rows, device)
        self._sampler = Sampler(
            self._prepared,
            source,
            name=classifier.name,
            num_classes=classifier.num_classes,
            vote_kind=self._plan.vote_kind,
            seed=certification.seed,
        )
        self._checker = self._open_checker(source)

    def certify(  # noqa: PLR0913, PLR0917 - images, what is known of them, and who watches
        self,
        images: NDArray[np.uint8],
        image_ids: NDArray[np.uint64],
        labels: NDArray[np.int64] | None = None,
        on_draws: Callable[[int], None] | None = None,
        records: Sequence[Record] | None = None,
        on_round: Callable[[Sequence[Record]], None] | None = None,
    ) -> list[Certificate]:
        """Certify every image.

        Args:
            images: uint8[image, channel, height, width].
            image_ids: Stable ids, uint64[image], unique within the seed's set.
            labels: True classes, int64[image], or None.
            on_draws: Called with the number of draws just counted; may raise to stop.
            records: What an interrupted call had observed, to go on from; one an image.
            on_round: Called with all records after each round; what it saves can be gone on from.

        Returns:
            One certificate an image, in order. They do not depend on how images are grouped into calls.
        """
        self._check(images, image_ids)
        image_set = ImageSet(images, image_ids, self._device)
        fresh = _fresh_records(images, image_ids, labels, self._observe(images, records))
        records = self._ask_clean(fresh, image_set) if records is None else _checked_records(records, fresh)
        unfinished: Sequence[int] = range(len(records))
        while requests := self._next_round(records, unfinished):
            unfinished = [request.image for request in requests]
            for request, votes in self._count(image_set, requests, on_draws):
                record = records[request.image]
                records[request.image] = record.observe(request.draws, votes, self._plan.tested_class(record))
            if on_round is not None:
                on_round(records)
        return [Certificate(record, self._plan.conclude(record, self.guarantee)) for record in records]

    @property
    def certification(self) -> Certification:
        """Return what is drawn and concluded here."""
        return self._certification

    @property
    def max_draws(self) -> int:
        """Return the most draws that one image can cost."""
        return self._plan.max_draws

    def seconds_a_draw(self) -> float:
        """Measure one forward pass, and return its share of one draw; the noise is not counted."""
        return self._prepared.seconds_a_batch(1) / self.execution.batch_size

    @property
    def execution(self) -> Execution:
        """Return how the classifier is executed."""
        return self._prepared.execution

    def manifest(self, dataset: str | None, image_ids: NDArray[np.uint64]) -> Manifest:
        """Return the manifest of a run certified here.

        Args:
            dataset: Name of the data set, if it has one.
            image_ids: Of all images of the run, uint64[image], in their order.
        """
        return Manifest(
            certification=self._certification,
            dataset=dataset,
            num_images=len(image_ids),
            selection=selection_digest(image_ids),
            input_shape=self._classifier.input_shape,
            num_classes=self._classifier.num_classes,
            norm=self.guarantee.norm,
            max_radius=self._plan.max_radius(self.guarantee),
            execution=self.execution,
            versions=versions(),
        )

    def _observe(
        self, images: NDArray[np.uint8], records: Sequence[Record] | None
    ) -> Sequence[StandardOutput | None]:
        """Return what a mixture's standard classifier says of each clean image; records of before have it."""
        standard = self._classifier.standard
        if standard is None or records is not None:
            return [None] * len(images)
        found = standard.observe(images, self._device)
        return [StandardOutput(logits, weight) for logits, weight in found]

    def _open_checker(self, source: NoiseSource) -> Sampler | None:
        """Return what counts how often the votes differ from the execution that is certified."""
        comparison = self._prepared.comparison
        if comparison is None:
            return None
        return Sampler(comparison, source, name=self._classifier.name, num_classes=2)

    def _count(
        self,
        image_set: ImageSet,
        requests: Sequence[DrawRequest],
        on_draws: Callable[[int], None] | None,
    ) -> Iterator[tuple[DrawRequest, Votes]]:
        """Count every request: those of the check by both executions, the others by the one that votes."""
        checks = [request for request in requests if request.draws.phase is Phase.CHECK]
        others = [request for request in requests if request.draws.phase is not Phase.CHECK]
        for sampler, part in ((self._checker, checks), (self._sampler, others)):
            if sampler is not None and part:
                yield from zip(part, sampler.count(image_set, part, on_draws), strict=True)

    def _next_round(self, records: Sequence[Record], unfinished: Sequence[int]) -> list[DrawRequest]:
        wanted = ((i, self._next_draws(records[i])) for i in unfinished)
        return [DrawRequest(i, draws, self._asked(records[i])) for i, draws in wanted if draws is not None]

    def _asked(self, record: Record) -> int | None:
        """Return the label to hold the classifier's confidence against, where that was asked for."""
        return record.label if self._certification.confidence else None

    def _ask_clean(self, records: list[Record], image_set: ImageSet) -> list[Record]:
        """Return fresh records with the softmax of the clean images, where that was asked for."""
        if not self._certification.confidence:
            return records
        scores = self._sampler.clean_scores(image_set).tolist()
        return [replace(each, clean_scores=tuple(row)) for each, row in zip(records, scores, strict=True)]

    def _next_draws(self, record: Record) -> Draws | None:
        """Return the plan's next draws; a long range that is looked at once comes in pieces."""
        draws = self._plan.next_draws(record, self.guarantee)
        if draws is None or self._plan.tested_class(record) is not None:
            return draws
        return Draws(draws.phase, draws.start, min(draws.stop, draws.start + PIECE_DRAWS))

    def _check(self, images: NDArray[np.uint8], image_ids: NDArray[np.uint64]) -> None:
        if images.dtype != np.uint8 or images.shape[1:] != tuple(self._classifier.input_shape):
            raise ShapeMismatch(
                f"{self._classifier.name} takes uint8 images of shape {tuple(self._classifier.input_shape)}; "
                f"got {images.dtype} of shape {images.shape[1:]}."
            )
        if len(np.unique(image_ids)) != len(images):
            raise InvalidParameter(
                "Two images share an id and would share their noise; give every image of a set its own id."
            )


def _fresh_records(
    images: NDArray[np.uint8],
    image_ids: NDArray[np.uint64],
    labels: NDArray[np.int64] | None,
    standard: Sequence[StandardOutput | None],
) -> list[Record]:
    return [
        Record(
            image_id=int(image_ids[i]),
            image_sha256=hashlib.sha256(images[i].tobytes()).hexdigest(),
            label=None if labels is None else int(labels[i]),
            standard=standard[i],
        )
        for i in range(len(images))
    ]


def _checked_records(records: Sequence[Record], fresh: Sequence[Record]) -> list[Record]:
    """Return ``records`` if they are about the same images: counts belong to the image they were made of."""
    same = len(records) == len(fresh) and all(
        (one.image_id, one.image_sha256, one.label) == (other.image_id, other.image_sha256, other.label)
        for one, other in zip(records, fresh, strict=True)
    )
    if not same:
        raise InvalidParameter("The saved records are about other images than these; start without them.")
    return list(records)
