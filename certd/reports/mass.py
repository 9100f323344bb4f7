"""Where the images of a run lie on the scale of pA, beside the average radius that does not say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.reports.figures.figure import Table
from certd.reports.paired import paired_difference
from certd.reports.printed import ceiled, floored, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certd.reports.results import Results

QUARTER, HALF, EASY = 0.25, 0.5, 0.9
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mass:
    """The average certified radius of a run, and how its images are spread over pA.

    Attributes:
        average_radius: ACR, input units.
        lower: Lower end of a bootstrap interval of the ACR over the images; approximate, no guarantee.
        upper: Upper end.
        level: Nominal coverage of the interval.
        at_most_quarter: Share of images whose label has at most a quarter of the draws; None where counts
            were recovered from printed radii, which do not tell.
        at_most_half: Share at or below one half, where nothing is certified.
        at_least_nine_tenths: Share with nine tenths or more.
    """

    average_radius: float
    lower: float
    upper: float
    level: float
    at_most_quarter: float | None
    at_most_half: float
    at_least_nine_tenths: float


def mass_of(results: Results) -> Mass:
    """Return the ACR of a labelled run with its interval, and the mass at small and at large pA.

    Args:
        results: A labelled run.

    Raises:
        InvalidParameter: If the run has no labels.
    """
    shares = results.label_shares
    if shares is None:
        raise InvalidParameter("The mass at small pA is about the label, and this run has none.")
    credited = results.credited
    average = paired_difference(credited, np.zeros_like(credited))
    return Mass(
        average_radius=average.difference,
        lower=average.lower,
        upper=average.upper,
        level=average.level,
        at_most_quarter=None if results.recovered else float((shares <= QUARTER).mean()),
        at_most_half=float((shares <= HALF).mean()),
        at_least_nine_tenths=float((shares >= EASY).mean()),
    )


def mass_table(runs: Mapping[str, Mass]) -> Table:
    """Print the masses of several runs, one row each, under their names."""
    rows = tuple(
        (
            name,
            floored(mass.average_radius),
            f"{floored(mass.lower)} to {ceiled(mass.upper)}",
            UNKNOWN if mass.at_most_quarter is None else percent(mass.at_most_quarter),
            percent(mass.at_most_half),
            percent(mass.at_least_nine_tenths),
        )
        for name, mass in runs.items()
    )
    header = ("run", "ACR", "95 % interval", "k / n ≤ .25", "k / n ≤ .5", "k / n ≥ .9")
    return Table(header, rows)
