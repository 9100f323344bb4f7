"""Arrays that the scripts of *Randomized Smoothing of All Shapes and Sizes* save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from certd.datasets.decoding import DecodingLimits, read_npy
from certd.errors import NotFound, UnreadableInput
from certd.reports.recovery import TOLERANCE
from certd.reports.results import Results
from certd.smoothing.plans import FixedPlan
from certd.statistics import lower_bounds_table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.reports.importers.conditions import Conditions

MAX_BYTES, MAX_IMAGES = 1 << 32, 1 << 24
SHARES, LABELS, BOUNDS = "preds.npy", "labels.npy", "prob_lb.npy"


def import_rs4a(folder: Path, conditions: Conditions, n: int, *, model: str = "published arrays") -> Results:
    """Return what a folder of rs4a's arrays holds, with counts recovered from the bounds on pA.

    Its scripts bound pA by one end of a two-sided interval, so that a certificate fails with probability
    alpha / 2; that is the alpha these results state. Radii are computed anew from the counts.

    Args:
        folder: Holds ``preds.npy`` (shares of the prediction draws, [image, class]), ``labels.npy`` and
            ``prob_lb.npy``.
        conditions: Noise and norm, with alpha as the scripts were given it.
        n: Certification draws; the files do not hold it.
        model: How to name the classifier.

    Raises:
        NotFound: If an array is missing.
        UnreadableInput: If one is malformed, or the bounds are not those of ``n`` draws at this alpha.

    References:
        Yang et al. (2020), arXiv:2002.08118.
    """
    shares, bounds = _array(folder / SHARES), _array(folder / BOUNDS).reshape(-1).astype(np.float64)
    labels = _array(folder / LABELS).reshape(-1).astype(np.int64)
    if shares.ndim != 2 or not len(shares) == len(labels) == len(bounds) or not len(bounds):
        raise UnreadableInput(f"{SHARES}, {LABELS} and {BOUNDS} do not describe the same images.")
    if labels.min() < 0 or labels.max() >= shares.shape[1]:
        raise UnreadableInput(
            f"{LABELS} holds a label outside the {shares.shape[1]} classes of {SHARES}; labels count from 0."
        )
    one_sided = conditions.alpha / 2
    plan, guarantee = FixedPlan(n=n, alpha=one_sided), conditions.guarantee
    counts = _counts(bounds, n, one_sided)
    proved = [guarantee.bound(int(count), n, one_sided).radius for count in counts]
    predictions = shares.argmax(axis=1)
    return Results(
        model=model,
        dataset=None,
        settings=conditions.settings(plan) | {"alpha": one_sided},
        guarantee=guarantee,
        requested=len(bounds),
        max_radius=plan.max_radius(guarantee),
        looks=1,
        declared_radii=None,
        image_ids=np.arange(len(bounds), dtype=np.uint64),
        labels=labels,
        top_classes=predictions.astype(np.int64),
        certified=np.array(proved) > 0,
        radii=np.array(proved),
        top_counts=counts,
        label_counts=np.where(predictions == labels, counts, 0),
        draws=np.full(len(bounds), n, np.int64),
        recovered=True,
    )


def _counts(bounds: NDArray[np.float64], n: int, alpha: float) -> NDArray[np.int64]:
    """Return the count behind each bound, which must be one of the ``n + 1`` that exist."""
    table = lower_bounds_table(n, alpha)
    counts = np.searchsorted(table, bounds * (1 - TOLERANCE), side="left")
    if counts.max(initial=0) > n or not np.allclose(
        table[np.minimum(counts, n)], bounds, rtol=1e-5, atol=1e-8
    ):
        raise UnreadableInput(
            f"{BOUNDS} holds bounds that {n} draws at alpha = {2 * alpha:g}, two-sided, cannot give; say "
            "which --n and --alpha the scripts were run with."
        )
    return counts.astype(np.int64)


def _array(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise NotFound(f"There is no file {path}; the scripts save {SHARES}, {LABELS} and {BOUNDS}.")
    return read_npy(path.read_bytes(), path.name, DecodingLimits(max_bytes=MAX_BYTES, max_images=MAX_IMAGES))
