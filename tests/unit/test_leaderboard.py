"""Runs are ranked where their numbers mean the same, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from certd.errors import InvalidParameter
from certd.reports.importers import import_cohen
from certd.reports.leaderboard import leaderboard

if TYPE_CHECKING:
    from certd.reports import Results

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def _results(name: str, radii: list[float], sigma: float = 0.5, correct: int | None = None) -> Results:
    """Return a run whose first ``correct`` images are right; the others are wrong."""
    right = len(radii) if correct is None else correct
    rows = [f"{i}\t0\t{int(i >= right)}\t{radius}\t{int(i < right)}\t1" for i, radius in enumerate(radii)]
    return replace(import_cohen(HEADER + "\n".join(rows), sigma, budget=(100_000, 0.001)), model=name)


EASY = _results("easy", [1.6, 1.6, 0.1, 0.1], correct=2)
EVEN = _results("even", [0.5, 0.5, 0.5, 0.5])
OTHER = _results("other", [1.0] * 4, sigma=1.0)


def test_runs_under_other_conditions_are_not_ranked_with_them() -> None:
    """The larger sigma has the larger figure and a table of its own."""
    found = leaderboard([EASY, OTHER, EVEN])
    assert [[entry.model for entry in group.entries] for group in found.groups] == [
        ["even", "easy"],
        ["other"],
    ]
    assert [entry.rank for group in found.groups for entry in group.entries] == [1, 2, 1]


def test_the_order_is_of_the_figure_that_is_named() -> None:
    """ACR prefers the run that certifies half of the images."""
    assert [entry.model for entry in leaderboard([EVEN, EASY], "acr").groups[0].entries] == ["easy", "even"]
    assert [entry.model for entry in leaderboard([EASY, EVEN], 0.5).groups[0].entries] == ["even", "easy"]


def test_equal_figures_share_a_place() -> None:
    """No order is made up between equals."""
    entries = leaderboard([EVEN, replace(EVEN, model="twin"), EASY]).groups[0].entries
    assert [entry.rank for entry in entries] == [1, 1, 3]


def test_every_row_says_its_budget() -> None:
    """A figure without sigma, n, alpha and images is none; JSON and page hold the same rows."""
    found = leaderboard([EVEN])
    entry = found.as_json()["groups"][0]["entries"][0]
    assert (entry["sigma"], entry["n"], entry["alpha"], entry["images"]) == (0.5, 100_000, 0.001, 4)
    assert entry["certified_accuracy"]["0.5"] == 1
    assert "100,000" in found.page()


def test_a_name_is_text_in_the_page() -> None:
    """A model's name runs nothing."""
    assert "<script>" not in leaderboard([replace(EVEN, model="<script>")]).page()


@pytest.mark.parametrize("by", [-1.0, "radius"])
def test_what_no_run_can_be_ranked_by_is_refused(by: float | str) -> None:
    """The message says what there is."""
    with pytest.raises(InvalidParameter, match="acr"):
        leaderboard([EVEN], by)


def test_runs_without_labels_are_refused() -> None:
    """They have no accuracy."""
    with pytest.raises(InvalidParameter, match="label"):
        leaderboard([replace(EVEN, labels=None)])
