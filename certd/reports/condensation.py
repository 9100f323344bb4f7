"""Holds a run of any length for its report: equal images once, with how many there are of them.

What a report says of a run does not depend on which image is which, but for one bound that bets on the radii
in the order of the data set. So a row a distinct outcome is enough, and of each image the row it belongs to
and the class voted for are kept: six bytes at most while there are fewer than 65,536 classes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.results import Results

# The outcome of the tested class: label (-1: none), class it is credited to, certified, radius, count, draws.
_Tested = tuple[int, int, bool, float, int, int]
# The outcome of the label: label, its count, draws.
_OfLabel = tuple[int, int, int]
UNLABELLED, WRONG = -1, -2


class Condenser:
    """Takes the parts of a run in the order of the data set, and gives what the report reads of the whole.

    Each image is in one row for its tested class and in another for its label, and shares either with all
    images of the same count: pairs of counts would be as many as images.
    """

    def __init__(self) -> None:
        self._tested: dict[_Tested, int] = {}
        self._of_label: dict[_OfLabel, int] = {}
        self._rows: list[NDArray[np.int32]] = []
        self._voted: list[NDArray[np.uint16 | np.int64]] = []
        self._first: Results | None = None
        self._draws = 0

    def add(self, part: Results) -> None:
        """Take the next images.

        Args:
            part: Rows that are images, all parts under one manifest, either all labelled or none.

        Raises:
            InvalidParameter: If the softmax was recorded, whose means differ from image to image, or if only
                some parts are labelled.
        """
        if part.softmax is not None or part.voted_classes is None:
            raise InvalidParameter("Only counts of votes can be condensed.")
        if self._first is None:
            self._first = part
        elif (self._first.labels is None) != (part.labels is None):
            raise InvalidParameter("Either all images of a run are labelled for its report, or none.")
        self._draws += part.total_draws or 0
        keys = list(zip(*_tested_columns(part), strict=True))
        rows = [self._tested.setdefault(key, len(self._tested)) for key in keys]
        self._rows.append(np.array(rows, np.int32))
        narrow = np.uint16 if part.voted_classes.max() < 2**16 else np.int64
        self._voted.append(part.voted_classes.astype(narrow))
        if part.labels is not None and part.label_counts is not None:
            self._count_labels(part.labels, part.label_counts, part.draws)

    def result(self) -> Results:
        """Return the whole run.

        Raises:
            InvalidParameter: If no image came.
        """
        if self._first is None:
            raise InvalidParameter("A report needs at least one finished image.")
        order = np.concatenate(self._rows)
        images = np.bincount(order, minlength=len(self._tested))
        columns = _columns(list(self._tested), list(self._of_label), labelled=self._first.labels is not None)
        of_label = np.fromiter(self._of_label.values(), np.int64, len(self._of_label))
        nothing = np.zeros(len(of_label), np.int64)
        return replace(
            self._first,
            **columns,
            image_ids=np.zeros(0, np.uint64),
            voted_classes=np.concatenate(self._voted),
            total_draws=self._draws,
            weights=np.concatenate([images, nothing]),
            label_weights=np.concatenate([np.zeros_like(images), of_label]),
            order=order,
        )

    def _count_labels(
        self, labels: NDArray[np.int64], counts: NDArray[np.int64], draws: NDArray[np.int64]
    ) -> None:
        for key in zip(labels.tolist(), counts.tolist(), draws.tolist(), strict=True):
            self._of_label[key] = self._of_label.get(key, 0) + 1


def _tested_columns(part: Results) -> tuple[list[Any], ...]:
    """Return the columns of the keys; which wrong class was tested is of no account."""
    if part.labels is None:
        labels = top = np.full(len(part), UNLABELLED)
    else:
        labels, top = part.labels, np.where(part.top_classes == part.labels, part.labels, WRONG)
    columns = (labels, top, part.certified, part.radii, part.top_counts, part.draws)
    return tuple(column.tolist() for column in columns)


def _columns(tested: list[_Tested], of_label: list[_OfLabel], *, labelled: bool) -> dict[str, Any]:
    """Return the columns of the rows of tested classes, with those of labels after them."""
    labels, top, certified, radii, counts, draws = (np.array(each) for each in zip(*tested, strict=True))
    none = np.zeros(len(of_label), np.int64)
    their, hits, spent = (
        np.array(each, np.int64) for each in (zip(*of_label, strict=True) if of_label else ([], [], []))
    )
    return {
        "labels": np.concatenate([labels, their]) if labelled else None,
        "top_classes": np.concatenate([top, none + WRONG]),
        "certified": np.concatenate([certified, none > 0]),
        "radii": np.concatenate([radii, none.astype(np.float64)]),
        "top_counts": np.concatenate([counts, none]),
        "label_counts": np.concatenate([np.zeros(len(counts), np.int64), hits]) if labelled else None,
        "draws": np.concatenate([draws, spent]),
    }
