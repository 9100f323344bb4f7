"""What every report reads: one row an image, with the conditions under which the rows were made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.errors import InvalidParameter
from certd.reports.accuracy import certified_counts
from certd.reports.radius import average_certified_radius
from certd.reports.softmax import joined_softmax, softmax_record
from certd.reports.weighted import mean
from certd.smoothing.draws import Phase
from certd.statistics import stage_schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from certd.reports.softmax import SoftmaxRecord
    from certd.reports.weighted import Weights
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.plans import AnyPlan
    from certd.smoothing.run import Run

EARLY_STOPPING = {"radii", "open"}


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The images of a run, or of a published log, as arrays of one length.

    Attributes:
        model: The base classifier, as the manifest or the log's reader names it.
        dataset: Name of the data set, or None.
        settings: What must accompany every number: sigma, n, alpha, norm, plan and its options, dtype.
        guarantee: What turns a bound on pA into a radius.
        requested: Images that were asked for; more than there are rows in a partial run.
        max_radius: The largest radius the plan could certify, in input units.
        looks: How often the plan may look at a count; 1 unless it stops early.
        declared_radii: The list that plan ``radii`` decides, in input units; None for other plans.
        image_ids: uint64[image].
        labels: int64[image], or None where any image has none.
        top_classes: The class that was tested, int64[image].
        certified: Whether the image was certified, bool[image]; the rest abstained.
        radii: Certified radii in input units, float64[image]; 0 for an abstention.
        top_counts: Draws for the tested class, int64[image].
        label_counts: Draws for the label, int64[image], or None without labels.
        draws: Counted draws, int64[image].
        voted_classes: The class that most estimation draws voted for, int64[image]; None where it is unknown.
        total_draws: Draws spent on all images, every phase counted; None where it is unknown.
        softmax: How sure the base classifier was; None where the run did not record it.
        recovered: Whether counts were inferred from printed radii; those of wrong and abstained images are
            then unknown and given as 0.
        weights: Images whose tested class a row stands for, int64[row]; None where each row is one image.
        label_weights: The same for the label's counts: a wrong image is one row here and another there.
        order: The row of each image, in the order of the data set; None where rows are images. Then
            ``image_ids`` is empty, and ``voted_classes`` goes by image.
    """

    model: str
    dataset: str | None
    settings: Mapping[str, Any]
    guarantee: Guarantee
    requested: int
    max_radius: float
    looks: int
    declared_radii: tuple[float, ...] | None
    image_ids: NDArray[np.uint64]
    labels: NDArray[np.int64] | None
    top_classes: NDArray[np.int64]
    certified: NDArray[np.bool_]
    radii: NDArray[np.float64]
    top_counts: NDArray[np.int64]
    label_counts: NDArray[np.int64] | None
    draws: NDArray[np.int64]
    voted_classes: NDArray[np.int64] | None = None
    total_draws: int | None = None
    softmax: SoftmaxRecord | None = None
    recovered: bool = False
    weights: Weights = None
    label_weights: Weights = None
    order: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if not len(self.radii):
            raise InvalidParameter("A report needs at least one finished image.")

    def __len__(self) -> int:
        return len(self.radii) if self.order is None else len(self.order)

    @property
    def complete(self) -> bool:
        """Return whether every image that was asked for is there."""
        return len(self) >= self.requested

    @property
    def alpha(self) -> float:
        """Return the failure probability of each certificate; 0 for an exact plan."""
        return float(self.settings["alpha"])

    @property
    def top_k(self) -> int:
        """Return how many classes the certified one stays among; 1 where it stays the first."""
        return int(self.settings.get("top_k", 1))

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Return whether each image is certified for its label; nowhere true without labels."""
        if self.labels is None:
            return np.zeros(len(self.radii), dtype=np.bool_)
        return np.asarray(self.certified & (self.top_classes == self.labels))

    @property
    def credited(self) -> NDArray[np.float64]:
        """Return the radius where certified for the label, 0 elsewhere: what ACR averages."""
        return np.where(self.correct, self.radii, 0.0)

    @property
    def reached(self) -> NDArray[np.float64]:
        """Return the radius where certified for the label, minus infinity elsewhere: 0 is a certificate."""
        return np.where(self.correct, self.radii, -np.inf)

    @property
    def average_radius(self) -> float:
        """Return the average certified radius, input units; wrong and abstained images count 0."""
        return average_certified_radius(self.radii, self.correct, self.weights)

    @property
    def abstention_rate(self) -> float:
        """Return the share of the images that were not certified."""
        return mean(~self.certified, self.weights)

    def certified_counts(self, at: Sequence[float]) -> NDArray[np.int64]:
        """Return how many images are certified for their label at each radius, inclusive; int64[radius]."""
        return certified_counts(self.radii, self.correct, at, self.weights)

    def by_image(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the values of rows image by image, in the order of the data set."""
        return rows if self.order is None else rows[self.order]

    @property
    def top_shares(self) -> NDArray[np.float64]:
        """Return k/n of the tested class."""
        return self.top_counts / self.draws

    @property
    def label_shares(self) -> NDArray[np.float64] | None:
        """Return k/n of the label; None without labels."""
        return None if self.label_counts is None else self.label_counts / self.draws

    @property
    def projectable(self) -> bool:
        """Return whether these counts say what another budget of the one-sided fixed plan would give."""
        radius = self.settings["plan"] != "predict" and self.alpha > 0
        return self.labels is not None and radius and counts_suffice(self.settings)

    @property
    def smooths_then_mixes(self) -> bool:
        """Return whether the counts are of a smoothed classifier that was mixed with another afterwards."""
        return "mixture_bounds" in self.settings


def counts_suffice(settings: Mapping[str, Any]) -> bool:
    """Return whether the k of n hard votes for a class are all that its certificate rests on.

    They are not for soft votes, a top-k certificate, a mixture, and votes that another execution cast.
    """
    hard = settings.get("votes", "hard") == "hard" and settings.get("top_k", 1) == 1
    return hard and not {"mixture_bounds", "check_draws"} & settings.keys()


def results_of(run: Run) -> Results:
    """Return what the reports read of a run.

    Raises:
        InvalidParameter: If no image is finished yet.
    """
    manifest, plan = run.manifest, run.manifest.certification.plan
    conclusions = [certificate.conclusion for certificate in run.certificates]
    labels = _labels(run)
    return Results(
        model=manifest.certification.model,
        dataset=manifest.dataset,
        settings={"dtype": manifest.execution.dtype, **manifest.settings},
        guarantee=manifest.guarantee,
        requested=manifest.num_images,
        max_radius=manifest.max_radius,
        looks=len(stage_schedule(plan.n)) if plan.kind in EARLY_STOPPING else 1,
        declared_radii=_declared_radii(plan, manifest.guarantee),
        image_ids=np.array([certificate.record.image_id for certificate in run.certificates], np.uint64),
        labels=labels,
        top_classes=np.array([conclusion.top_class for conclusion in conclusions], np.int64),
        certified=np.array([not conclusion.abstained for conclusion in conclusions], np.bool_),
        radii=np.array([conclusion.radius for conclusion in conclusions], np.float64),
        top_counts=np.array([conclusion.top_count for conclusion in conclusions], np.int64),
        label_counts=None if labels is None else _label_counts(run),
        draws=np.array([conclusion.draws for conclusion in conclusions], np.int64),
        voted_classes=_voted_classes(run),
        total_draws=sum(certificate.record.total_draws for certificate in run.certificates),
        softmax=softmax_record(run.certificates),
    )


def joined(parts: Sequence[Results]) -> Results:
    """Return the images of several parts of one run as one.

    Args:
        parts: At least one, all under one manifest.
    """
    labelled = all(part.labels is not None for part in parts)
    optional = ("labels", "label_counts") if labelled else ()
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in (*_COLUMNS, *optional)
    }
    unlabelled: dict[str, Any] = {} if labelled else {"labels": None, "label_counts": None}
    total = sum(part.total_draws or 0 for part in parts)
    softmax = joined_softmax([part.softmax for part in parts])
    return replace(parts[0], **unlabelled, **columns, total_draws=total, softmax=softmax)


_COLUMNS = ("image_ids", "top_classes", "certified", "radii", "top_counts", "draws", "voted_classes")


def _voted_classes(run: Run) -> NDArray[np.int64]:
    tallies = [certificate.record.tallies[Phase.ESTIMATION] for certificate in run.certificates]
    return np.array([int(tally.counts.argmax()) for tally in tallies], np.int64)


def _labels(run: Run) -> NDArray[np.int64] | None:
    labels = [certificate.record.label for certificate in run.certificates]
    return None if None in labels else np.array(labels, np.int64)


def _label_counts(run: Run) -> NDArray[np.int64]:
    records = [certificate.record for certificate in run.certificates]
    return np.array([int(r.tallies[Phase.ESTIMATION].counts[r.label]) for r in records], np.int64)


def _declared_radii(plan: AnyPlan, guarantee: Guarantee) -> tuple[float, ...] | None:
    return plan.grid(guarantee) if plan.kind == "radii" else None
