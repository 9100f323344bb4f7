"""Logs of the reference script become results: Cohen's TSV, also as later scripts write it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np

from certd.errors import UnreadableInput
from certd.reports.importers.conditions import Conditions
from certd.reports.recovery import recover_budget, recover_counts, require_budget
from certd.reports.results import Results
from certd.smoothing.plans import FixedPlan

COLUMNS = ("idx", "label", "predict", "radius", "correct", "time")
ABSTAINED = -1
MOST_CLASSES, MOST_IMAGES = 1 << 31, 1 << 63


@dataclass(frozen=True, slots=True)
class CohenRow:
    """One line of a log.

    ``correct`` of the file is not kept: in some published logs it is a running sum.

    Attributes:
        index: Position in the data set.
        label: True class.
        prediction: Predicted class; None for an abstention, which the file writes as -1.
        radius: As printed, which may be half a unit of its last digit above what was proved.
        seconds: Time spent on the image.
    """

    index: int
    label: int
    prediction: int | None
    radius: Decimal
    seconds: float


def read_cohen_rows(text: str) -> list[CohenRow]:
    """Read the rows of Cohen's TSV.

    Args:
        text: The file, header ``idx label predict radius correct time`` first, tabs between.

    Raises:
        UnreadableInput: If the header is another, a line does not fit it, or an image comes twice, naming the
            line.
    """
    lines = csv.reader(io.StringIO(text), delimiter="\t")
    header = next(lines, [])
    if tuple(name.strip() for name in header) != COLUMNS:
        raise UnreadableInput(f"The first line must be {' '.join(COLUMNS)}, separated by tabs.")
    numbered = [(number, _row(number, line)) for number, line in enumerate(lines, start=2) if line]
    seen: dict[int, int] = {}
    for number, row in numbered:
        if (first := seen.setdefault(row.index, number)) != number:
            raise UnreadableInput(
                f"Line {number}: image {row.index} was on line {first} already. Leave one of the two out."
            )
    return [row for _, row in numbered]


def import_cohen(
    text: str,
    sigma: float,
    *,
    budget: tuple[int, float] | None = None,
    requested: int | None = None,
    model: str = "published log",
) -> Results:
    """Return the results that a published log holds, with counts recovered from its radii.

    Radii stay as printed. ``correct`` is recomputed. The count of a certified image is the least whose bound
    reaches its radius; those of wrong and abstained images are not in the file and are given as 0.

    Args:
        text: The file.
        sigma: Noise level of the run, input units; the file does not hold it.
        budget: ``(n, alpha)``, where known; otherwise recovered from the largest radius.
        requested: Images that the run was to certify, where the log stops short of it.
        model: How to name the classifier.

    Raises:
        UnreadableInput: If the file is no such log, or holds no image.
        InvalidParameter: If no budget is given and none of the usual ones explains the largest radius, or
            the given one cannot reach it.
    """
    rows = read_cohen_rows(text)
    if not rows:
        raise UnreadableInput("This log holds no image.")
    printed = [row.radius for row in rows]
    n, alpha = budget or recover_budget(printed, sigma)
    require_budget(printed, sigma, n, alpha)
    conditions = Conditions(sigma, alpha)
    guarantee = conditions.guarantee
    labels = np.array([row.label for row in rows], np.int64)
    certified = np.array([row.prediction is not None for row in rows], np.bool_)
    predictions = np.array(
        [ABSTAINED if row.prediction is None else row.prediction for row in rows], np.int64
    )
    radii = np.where(certified, np.array([float(row.radius) for row in rows]), 0.0)
    counts = np.where(certified, recover_counts(radii, sigma, n, alpha), 0)
    return Results(
        model=model,
        dataset=None,
        settings=conditions.settings(FixedPlan(n=n, alpha=alpha)),
        guarantee=guarantee,
        requested=max(requested or 0, len(rows)),
        max_radius=guarantee.bound(n, n, alpha).radius,
        looks=1,
        declared_radii=None,
        image_ids=np.array([row.index for row in rows], np.uint64),
        labels=labels,
        top_classes=predictions,
        certified=certified,
        radii=radii,
        top_counts=counts,
        label_counts=np.where(predictions == labels, counts, 0),
        draws=np.full(len(rows), n, np.int64),
        total_draws=None,
        recovered=True,
    )


def _row(number: int, line: list[str]) -> CohenRow:
    try:
        index, label, prediction, radius, _, time = line
        row = CohenRow(
            int(index),
            int(label),
            None if int(prediction) == ABSTAINED else int(prediction),
            Decimal(radius.strip()),
            _seconds(time),
        )
    except (ValueError, InvalidOperation):
        raise UnreadableInput(f"Line {number} does not hold {' '.join(COLUMNS)}: {line}.") from None
    if not row.radius.is_finite() or row.radius < 0:
        raise UnreadableInput(f"Line {number} has a radius that is below 0 or not finite.")
    for name, value, end in (
        ("index", row.index, MOST_IMAGES),
        ("label", row.label, MOST_CLASSES),
        ("prediction", row.prediction or 0, MOST_CLASSES),
    ):
        if not 0 <= value < end:
            raise UnreadableInput(
                f"Line {number}: the {name} is {value}, outside 0 to {end - 1}; an abstention predicts -1."
            )
    return row


def _seconds(time: str) -> float:
    """Read ``15.4``, ``0:02:31.2`` or ``1 day, 0:02:31``."""
    days, _, clock = time.rpartition(",")
    seconds = 86400.0 * float(days.split()[0]) if days else 0.0
    parts = [float(part) for part in clock.split(":")]
    return seconds + sum(part * 60.0**power for power, part in enumerate(reversed(parts)))
