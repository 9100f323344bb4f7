"""Two runs side by side: refused where the numbers do not mean the same, tested where they do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.errors import InvalidParameter, ShapeMismatch
from certd.reports.comparability import differences
from certd.reports.compare import compare
from certd.reports.dominance import order_of_curves
from certd.reports.importers import import_cohen
from certd.reports.paired import mcnemar_at, paired_difference

if TYPE_CHECKING:
    from certd.reports import Results

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def _results(radii: list[float], *, sigma: float = 0.5, first_index: int = 0) -> Results:
    rows = [f"{first_index + i}\t{i % 2}\t{i % 2}\t{radius}\t1\t1" for i, radius in enumerate(radii)]
    return import_cohen(HEADER + "\n".join(rows), sigma, budget=(100_000, 0.001))


LOW = _results([0.1, 0.2, 0.3, 0.4, 1.5, 1.7])
HIGH = _results([0.2, 0.3, 0.4, 0.5, 1.6, 1.8])


def test_comparable_runs_are_compared_without_marks() -> None:
    """Under equal conditions the better run dominates both curves and the difference is the mean one."""
    comparison = compare(LOW, HIGH)
    assert comparison.marks == ()
    assert (comparison.shares.dominant, comparison.accuracy.dominant) == ("second", "second")
    assert comparison.average_radius.difference == pytest.approx(-0.1)
    assert comparison.average_radius.lower <= -0.1 <= comparison.average_radius.upper
    assert [test.radius for test in comparison.mcnemar[1:]] == [0.25, 0.5, 0.75, 1.0]


def test_unequal_sigma_is_refused_by_name() -> None:
    """The refusal names what differs and says how to insist."""
    with pytest.raises(InvalidParameter, match=r"sigma: 0\.5 against 0\.25.*pass force"):
        compare(LOW, _results([0.1] * 6, sigma=0.25))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"n": 1000}, "n"),
        ({"alpha": 0.01}, "alpha"),
        ({"arithmetic": "quantized"}, "arithmetic"),
        ({"noise": "uniform"}, "noise"),
        ({"norm": "l1"}, "norm"),
        ({"plan": "radii"}, "plan"),
    ],
)
def test_every_condition_counts(changed: dict[str, object], name: str) -> None:
    """Budget, alpha, arithmetic, noise, norm and plan are each reason enough to refuse."""
    other = replace(HIGH, settings={**HIGH.settings, **changed})
    (difference,) = differences(LOW, other)
    assert difference.startswith(f"{name}: ")


def test_other_images_are_refused() -> None:
    """A subset, or other images of the same number, is another question."""
    with pytest.raises(InvalidParameter, match="not the same ones"):
        compare(LOW, _results([0.2, 0.3]))
    assert differences(LOW, _results([0.2] * 6, first_index=1)) == ("images: 6 against 6, not the same ones",)


def test_a_forced_comparison_carries_its_marks() -> None:
    """Forced, it is over the common images and says what differs."""
    comparison = compare(LOW, _results([0.2, 0.3], sigma=0.25), force=True)
    assert len(comparison.marks) == 2
    assert comparison.average_radius.difference == pytest.approx(-0.1)
    with pytest.raises(InvalidParameter, match="no image in common"):
        compare(LOW, _results([0.2], first_index=50), force=True)


def test_runs_without_labels_are_not_compared() -> None:
    """Certified accuracy needs labels."""
    blind = replace(LOW, labels=None, label_counts=None)
    with pytest.raises(InvalidParameter, match="labels in both"):
        compare(blind, blind)


def test_crossings_are_where_the_lead_passes() -> None:
    """Ties keep the lead where it was; equal curves have no leader."""
    grid = np.arange(5.0)
    order = order_of_curves(grid, np.array([3.0, 2, 2, 1, 0]), np.array([2.0, 2, 2, 2, 0]))
    assert (order.dominant, order.crossings) == ("neither", (3.0,))
    assert order_of_curves(grid, grid, grid).dominant == "neither"
    assert order_of_curves(grid, grid, grid + np.array([0, 0, -1.0, 0, 0])).dominant == "first"


def test_mcnemar_is_the_exact_binomial_of_the_discordant_images() -> None:
    """Eight images only the one run certifies, one only the other: p = 2 P(Bin(9, 1/2) <= 1)."""
    first = np.array([1.0] * 8 + [0.0] + [1.0] * 5)
    second = np.array([0.0] * 8 + [1.0] + [1.0] * 5)
    test = mcnemar_at(0.5, first, second)
    assert (test.only_first, test.only_second) == (8, 1)
    assert test.p_value == pytest.approx(2 * 10 / 512)


def test_images_certified_at_radius_zero_count_there() -> None:
    """They are what a comparison at radius 0 is about; abstentions are not there."""
    lost = replace(LOW, certified=np.arange(6) >= 2)
    zero = [replace(run, radii=np.zeros(6)) for run in (LOW, lost)]
    comparison = compare(*zero)
    test = comparison.mcnemar[0]
    assert (test.radius, test.only_first, test.only_second) == (0.0, 2, 0)
    assert comparison.accuracy.dominant == "first"
    assert sum(band.certified_first for band in comparison.hardness) == 6
    assert sum(band.certified_second for band in comparison.hardness) == 4
    assert comparison.averages == (0.0, 0.0)


def test_the_bootstrap_is_reproducible_and_covers_a_constant() -> None:
    """The same seed gives the same interval; a constant difference has one of width 0."""
    rng = np.random.default_rng(0)
    first, second = rng.random(200), rng.random(200)
    assert paired_difference(first, second) == paired_difference(first, second)
    same = paired_difference(first, first - 0.25)
    assert [same.lower, same.upper] == pytest.approx([0.25, 0.25])
    with pytest.raises(ShapeMismatch):
        paired_difference(first, second[:5])
    with pytest.raises(InvalidParameter):
        paired_difference(first, second, level=1.0)
