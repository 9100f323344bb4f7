"""Several runs in one figure, refused or marked where their numbers do not mean the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certd.reports.comparability import require_comparable
from certd.reports.figures.distribution import share_curve
from certd.reports.figures.label_shares import label_share_curves
from certd.reports.figures.radius import accuracy_curve

if TYPE_CHECKING:
    from certd.reports.figures.figure import Figure
    from certd.reports.results import Results


def overlay(*runs: Results, force: bool = False) -> tuple[Figure, ...]:
    """Return the pA distribution, S(x) and certified accuracy with one curve a run.

    Args:
        runs: Two or more labelled runs.
        force: Draw although conditions differ; the figures then say in which, in red.

    Raises:
        InvalidParameter: If conditions differ and ``force`` is not given.
    """
    marks = require_comparable(runs, force=force)
    drawn = (label_share_curves(*runs), share_curve(*runs), accuracy_curve(*runs))
    return tuple(replace(figure, marks=marks) for figure in drawn)
