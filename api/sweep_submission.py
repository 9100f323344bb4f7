"""The submission of a sweep: checked whole, then priced, or stored and queued as one job."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from api.admission import admit, noises_of
from api.once import Stored, stored_once
from api.schemas import SweepEstimateView
from certd.datasets import load_dataset
from certd.errors import InvalidParameter, ShapeMismatch
from certd.jobs.inputs import Inputs
from certd.jobs.sweep import Sweep
from certd.models import find_model
from certd.models.ingredients import require_ingredients
from certd.models.soup_grid import weight_grid
from certd.reports.soup_report import Threat
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.options import invalid_parameter
from certd.smoothing.request import SEED_BITS
from certd.smoothing.soup_choice import require_no_calibration
from certd.smoothing.soup_question import MOST_SOUPS, SoupSweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.services import Services
    from certd.access import Caller
    from certd.datasets import Dataset, LazyDataset
    from certd.jobs.job import Job
    from certd.jobs.sweep_request import Images, SweepRequest
    from certd.models import Specification

MOST_RUNS = 4_000


@dataclass(frozen=True, slots=True)
class SweepSubmission:
    """A request to sweep."""

    request: SweepRequest
    services: Services
    caller: Caller
    idempotency_key: str | None = None

    def store(self) -> Stored:
        """Check everything, store the job and queue it; a key that came before finds its job.

        Raises:
            InvalidRequest: If the sweep cannot be done as asked; nothing is stored then.
            NotFound: If an ingredient or the data set does not exist.
            TooLarge: If the whole sweep could cost more draws than one job may.
            QuotaExceeded: If the caller has asked for its share already.
        """
        return stored_once(self.services, self.caller, self.idempotency_key, self._fingerprint, self._create)

    def estimate(self) -> SweepEstimateView:
        """Say what the sweep would cost and reach, after the checks of a submission; nothing is stored.

        Raises:
            InvalidRequest: If the sweep cannot be done as asked.
            NotFound: If an ingredient or the data set does not exist.
        """
        sweep, parts, images = self._checked()
        certification = sweep.question.certification(sweep.question.reference, sweep.question.sigmas[0])
        plan = certification.procedure
        guarantees = [
            Guarantee.of(noise, certification.norm, parts[0].input_shape)
            for noise in noises_of(certification, sweep)
        ]
        for guarantee in guarantees:
            plan.check(guarantee, parts[0].num_classes)
        draws = sweep.num_runs * len(images) * plan.max_draws
        speed = self.services.draws_per_second(parts[0].reference)
        return SweepEstimateView(
            soups=len(sweep.question.grid),
            runs=sweep.num_runs,
            num_images=len(images),
            draws_at_most=draws,
            draws_per_second=speed,
            seconds_at_most=draws / speed if speed else None,
            largest_radius=max(plan.max_radius(guarantee) for guarantee in guarantees),
            norm=guarantees[0].norm,
        )

    def _fingerprint(self) -> str:
        return hashlib.sha256(b"sweep" + self.request.model_dump_json().encode()).hexdigest()

    def _create(self, job_id: str) -> Job:
        sweep, _, images = self._checked()
        question = sweep.question
        return admit(
            self.services,
            self.caller,
            job_id,
            question.certification(question.reference, question.sigmas[0]),
            Inputs.of_dataset(images),
            self.request.dataset,
            self.request.tags,
            sweep=sweep,
        )

    def _checked(self) -> tuple[Sweep, list[Specification], Dataset | LazyDataset]:
        """Return the sweep that is asked, its ingredients and its images."""
        asked = self.request
        registry = self.services.settings.models
        parts = [find_model(each, registry=registry) for each in asked.ingredients]
        require_ingredients(parts)
        images = images_of(self.services, asked.dataset, asked, parts[0])
        question = self._question(parts, images)
        require_no_calibration(question, images)
        _require_threats(question, asked.ranked_by)
        sweep = Sweep(question=question, threats=asked.ranked_by, top_k=asked.top_k)
        if sweep.num_runs > MOST_RUNS:
            raise InvalidParameter(
                f"{len(question.members):,} soups under {len(question.sigmas)} noise levels are "
                f"{sweep.num_runs:,} runs; a sweep makes at most {MOST_RUNS:,}."
            )
        return sweep, parts, images

    def _question(self, parts: Sequence[Specification], images: Dataset | LazyDataset) -> SoupSweep:
        asked = self.request
        seed = secrets.randbits(SEED_BITS) if asked.seed is None else asked.seed
        try:
            question = SoupSweep(
                ingredients=tuple(part.reference for part in parts),
                units=asked.units,
                grid=_grid(asked),
                dataset=images.name,
                image_ids=tuple(int(each) for each in images.image_ids),
                sigmas=tuple(asked.sigmas),
                seed=seed,
                options=asked.options(asked.n),
                calibration=self._calibration(seed),
                ensemble=asked.ensemble,
            )
            question.recipe(0)
        except ValidationError as error:
            raise invalid_parameter(error) from None
        return question

    def _calibration(self, seed: int) -> dict[str, Any] | None:
        wanted, sigmas = self.request.calibrate, self.request.sigmas
        if wanted is None:
            return None
        if wanted.sigma is None and len(sigmas) != 1:
            raise InvalidParameter(
                "Say which of the noise levels to add to the calibration images.", pointer="/calibrate/sigma"
            )
        whole = load_dataset(wanted.dataset, registry=self.services.settings.datasets)
        chosen = whole.select(start=wanted.start, stop=wanted.stop)
        return {
            "dataset": whole.name,
            "image_ids": [int(each) for each in chosen.image_ids],
            "sigma": sigmas[0] if wanted.sigma is None else wanted.sigma,
            "seed": seed,
            "batch_size": wanted.batch_size,
        }


def images_of(
    services: Services, dataset: str, wanted: Images, model: Specification
) -> Dataset | LazyDataset:
    """Return the labelled images of a data set that a request names.

    Raises:
        NotFound: If there is no such data set.
        InvalidParameter: If it has no labels, or no such images.
        ShapeMismatch: If the model takes other images.
    """
    whole = load_dataset(dataset, registry=services.settings.datasets)
    chosen = whole.select(**wanted.chosen())
    if chosen.input_shape != model.input_shape:
        raise ShapeMismatch(
            f"{model.name} takes images of shape {model.input_shape}; {whole.name} has {chosen.input_shape}.",
            pointer="/dataset",
        )
    if chosen.labels is None or not len(chosen):
        raise InvalidParameter(
            "Soups are ranked by labelled images; choose at least one.", pointer="/dataset"
        )
    return chosen


def _grid(asked: SweepRequest) -> tuple[tuple[int, ...], ...]:
    """Return the weights of all soups; no more are enumerated than a sweep may have."""
    high = asked.units if asked.high is None else asked.high
    points = weight_grid(len(asked.ingredients), asked.units, asked.low, high)
    found = tuple(islice(points, MOST_SOUPS + 1))
    if len(found) > MOST_SOUPS:
        raise InvalidParameter(
            f"This grid has more than {MOST_SOUPS:,} soups; take fewer steps of one whole, a narrower range "
            "of weights or fewer ingredients.",
            pointer="/units",
            max_soups=MOST_SOUPS,
        )
    if not found:
        raise InvalidParameter(
            f"No weights from {asked.low} to {high} steps sum to one whole of {asked.units}.", pointer="/low"
        )
    return found


def _require_threats(question: SoupSweep, threats: Sequence[str]) -> None:
    for text in threats:
        threat = Threat.parse(text)
        if threat.sigma not in question.sigmas:
            raise InvalidParameter(
                f"{text}: the sweep runs sigma {', '.join(f'{each:g}' for each in question.sigmas)}.",
                pointer="/threats",
            )
