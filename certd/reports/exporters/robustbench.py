"""A leaderboard's entry: RobustBench's ``model_info`` with certified accuracy in fields of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from certd.errors import InvalidParameter
from certd.reports.accuracy import certified_counts
from certd.reports.printed import conditions, trimmed
from certd.reports.summary import grid_of

if TYPE_CHECKING:
    from certd.reports.results import Results

THREATS = {"l1": "L1", "l2": "L2", "linf": "Linf"}


def export_robustbench(results: Results) -> str:
    """Write the entry of a run as JSON, percentages as text and rounded down.

    What an attack measured is left empty: ``autoattack_acc`` is an upper bound of what ``certified_acc``
    bounds from below, and the one must never stand in the other's place.

    Args:
        results: Labelled results.

    Raises:
        InvalidParameter: If there are no labels, and so no accuracy, or certificates are top-k.

    References:
        Croce et al. (2021), arXiv:2010.09670.
    """
    if results.labels is None:
        raise InvalidParameter("An accuracy needs a label for every image; export these results as CSV.")
    if results.top_k > 1:
        raise InvalidParameter(
            f"A leaderboard ranks by the first class, and these certificates are top-{results.top_k}; "
            "export them as CSV or as a model card."
        )
    grid = grid_of(results)
    counts = certified_counts(results.radii, results.correct, grid)
    entry: dict[str, Any] = {
        "link": None,
        "name": results.model.split("@")[0],
        "authors": None,
        "additional_data": None,
        "number_forward_passes": int(results.draws.max()),
        "dataset": results.dataset,
        "venue": None,
        "architecture": None,
        "eps": None,
        "clean_acc": None,
        "reported": None,
        "autoattack_acc": None,
        "threat_model": THREATS[results.settings["norm"]],
        "certified_acc": {
            trimmed(radius): _percent(int(count), len(results))
            for radius, count in zip(grid, counts, strict=True)
        },
        "certified_with": conditions(results),
        "certified_images": len(results),
    }
    return json.dumps(entry, indent=2) + "\n"


def _percent(count: int, total: int) -> str:
    """Return a percentage with two digits, rounded down in whole numbers."""
    hundredths = 10_000 * count // total
    return f"{hundredths // 100}.{hundredths % 100:02d}"
