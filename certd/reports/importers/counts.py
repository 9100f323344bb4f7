"""Class counts that somebody drew: one row an image, and its label where it is known."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import UnreadableInput
from certd.reports.results import Results
from certd.smoothing.draws import MAX_DRAWS_PER_PHASE, Phase, Record, Tally
from certd.smoothing.plans import FixedPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.importers.conditions import Conditions

INDEX, LABEL = "idx", "label"


def import_counts(text: str, conditions: Conditions, *, model: str = "imported counts") -> Results:
    """Return what a table of class counts proves.

    One vector of counts both chooses the class and bounds it, which is sound at half of alpha only: see
    ``split`` of :class:`certd.smoothing.plans.FixedPlan`.

    Args:
        text: Comma- or tab-separated; the header names ``label`` and ``idx`` where these columns are there,
            and every other column is a class, in the order of the classes.
        conditions: Noise, norm and alpha.
        model: How to name the classifier.

    Raises:
        UnreadableInput: If a line is no row of counts, rows are of different budgets, or an image has two.
    """
    header, rows = _table(text)
    classes = [place for place, name in enumerate(header) if name not in {INDEX, LABEL}]
    counts = rows[:, classes]
    # Sums of integers may wrap; those that float64 rounds are refused for their size.
    budgets = counts.sum(axis=1, dtype=np.float64)
    if len(classes) < 2 or (budgets != budgets[0]).any() or not 0 < budgets[0] <= MAX_DRAWS_PER_PHASE:
        raise UnreadableInput(
            "Each line needs the counts of two classes or more, and all lines the same number of draws in "
            f"all, above 0 and at most {MAX_DRAWS_PER_PHASE:,}."
        )
    labels = rows[:, header.index(LABEL)] if LABEL in header else None
    if labels is not None and labels.max() >= len(classes):
        raise UnreadableInput(f"There are counts of {len(classes)} classes, and a label is {labels.max()}.")
    ids = rows[:, header.index(INDEX)] if INDEX in header else np.arange(len(rows))
    found, times = np.unique(ids, return_counts=True)
    if (times > 1).any():
        raise UnreadableInput(f"Image {found[times > 1][0]} has two lines or more. Leave one.")
    return _results(counts, labels, ids.astype(np.uint64), conditions, model)


def _results(
    counts: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    image_ids: NDArray[np.uint64],
    conditions: Conditions,
    model: str,
) -> Results:
    draws = int(counts[0].sum())
    plan, guarantee = FixedPlan(n=draws, alpha=conditions.alpha, split=False), conditions.guarantee
    plan.check(guarantee, counts.shape[1])
    records = (Record(0, "", None, {Phase.ESTIMATION: Tally(draws, row)}) for row in counts)
    concluded = [plan.conclude(record, guarantee) for record in records]
    rows = np.arange(len(counts))
    return Results(
        model=model,
        dataset=None,
        settings=conditions.settings(plan),
        guarantee=guarantee,
        requested=len(counts),
        max_radius=plan.max_radius(guarantee),
        looks=1,
        declared_radii=None,
        image_ids=image_ids,
        labels=labels,
        top_classes=np.array([conclusion.top_class for conclusion in concluded], np.int64),
        certified=np.array([not conclusion.abstained for conclusion in concluded], np.bool_),
        radii=np.array([conclusion.radius for conclusion in concluded], np.float64),
        top_counts=counts.max(axis=1),
        label_counts=None if labels is None else counts[rows, labels],
        draws=np.full(len(counts), draws, np.int64),
        voted_classes=counts.argmax(axis=1),
        total_draws=draws * len(counts),
    )


def _table(text: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names in the header, and the integers below it."""
    first = text.partition("\n")[0]
    lines = list(csv.reader(io.StringIO(text), delimiter="\t" if "\t" in first else ","))
    header = [name.strip() for name in lines[0]] if lines else []
    body = [line for line in lines[1:] if line]
    if not body or len(set(header)) != len(header):
        raise UnreadableInput("The first line names the columns, each once, and a row an image follows.")
    for number, line in enumerate(body, start=2):
        if len(line) != len(header) or not all(_is_count(cell) for cell in line):
            raise UnreadableInput(f"Line {number} does not hold {len(header)} integers from 0: {line}.")
    return header, np.array([[int(cell) for cell in line] for line in body], np.int64)


def _is_count(cell: str) -> bool:
    text = cell.strip()
    return text.isascii() and text.isdecimal() and len(text) <= 18
