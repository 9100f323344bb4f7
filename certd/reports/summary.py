"""The report as JSON: every number with what it rests on, under keys that do not change."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.datasets.label_alignment import misaligned_labels
from certd.reports.accuracy import image_sampling_interval, radius_grid
from certd.reports.budget_curve import average_radius_by_budget, most_frequent_share
from certd.reports.confidence import confidence_report
from certd.reports.guarantees import guarantees
from certd.reports.inequality import easy_share, uniform_easy_share
from certd.reports.pa_distribution import correct_share_curve, histogram, quantiles
from certd.reports.radius import draws_for_trivial
from certd.reports.results import results_of

if TYPE_CHECKING:
    from certd.reports.results import Results
    from certd.smoothing.manifest import Manifest
    from certd.smoothing.run import Run

FEWEST_FOR_WARNINGS = 20
CONSTANT = (
    "Every image gets class {}: this is a constant classifier, which sees nothing. Its average certified "
    "radius is the share of that class times the largest radius, and grows with the budget."
)
EASY = (0.75, 0.9, 0.99)
INTERVAL_DELTA = 0.05


def summarize(run: Run) -> dict[str, Any]:
    """Return the report of a run; a partial run is reported over the images it has finished.

    Args:
        run: At least one certificate.

    Returns:
        Plain values for JSON. What needs labels is None where an image has none.
    """
    return summarize_results(results_of(run), run.manifest)


def summarize_results(results: Results, manifest: Manifest) -> dict[str, Any]:
    """Return what :func:`summarize` returns, from what the reports read of a run."""
    return {
        "images": {"requested": results.requested, "finished": len(results)},
        "settings": manifest.settings,
        **numbers_of(results),
        "total_draws": results.total_draws,
        "guarantees": guarantees(results),
        "warnings": warnings_of(results),
        "manifest": manifest.model_dump(mode="json"),
    }


def summarize_log(results: Results) -> dict[str, Any]:
    """Return the report of an imported log, under the keys of a run's; it guarantees nothing by itself."""
    return {
        "images": {"requested": results.requested, "finished": len(results)},
        "settings": dict(results.settings),
        **numbers_of(results),
        "total_draws": results.total_draws,
        "guarantees": [],
        "warnings": [],
        "imported": {"model": results.model, "counts_recovered_from_radii": results.recovered},
        "manifest": None,
    }


def warnings_of(results: Results) -> list[str]:
    """Return a sentence for each thing about a run that looks like a mistake of its maker.

    Judged by the class that most draws of each image voted for.
    """
    voted = results.voted_classes
    if voted is None or results.labels is None or len(results) < FEWEST_FOR_WARNINGS:
        return []
    labels = results.by_image(results.labels.astype(np.min_scalar_type(int(results.labels.max()))))
    if len(np.unique(voted)) == 1 and len(np.unique(labels)) > 1:
        return [CONSTANT.format(voted[0])]
    num_classes = 1 + int(max(voted.max(), labels.max()))
    warning = misaligned_labels(voted, labels, num_classes)
    return [] if warning is None else [warning]


def numbers_of(results: Results) -> dict[str, Any]:
    """Return the numbers of a report that follow from the counts alone, of a run or a published log."""
    return {
        "pa_distribution": _pa_distribution(results),
        "certified_accuracy": _certified_accuracy(results),
        "average_certified_radius": _average_certified_radius(results),
        "abstention_rate": results.abstention_rate,
        "max_radius": results.max_radius,
        "acr_by_budget": _by_budget(results),
        "trivial_baseline": _trivial_baseline(results),
        "easy_share": _easy_share(results),
        "confidence": None if (found := confidence_report(results)) is None else found.as_json(),
    }


def grid_of(results: Results) -> list[float]:
    """Return the radii of the tables: the declared list where the plan has one, else steps of .25."""
    if results.declared_radii is not None:
        return list(results.declared_radii)
    return radius_grid(results.max_radius)


def _pa_distribution(results: Results) -> dict[str, Any]:
    """Return both probabilities of reports: of the tested class, and of the label.

    A log of radii does not say how wrong and abstained images voted, so of it only S(x) is known.
    """
    shares, labelled, known = results.label_shares, results.labels is not None, not results.recovered
    curve = correct_share_curve(results.top_counts, results.draws, results.correct, results.weights)
    of_label, weights = results.label_weights, results.weights
    shown = (results.top_shares, weights) if shares is None else (shares, of_label)
    return {
        "tested_class_quantiles": quantiles(results.top_shares, weights) if known else None,
        "label_quantiles": quantiles(shares, of_label) if known and shares is not None else None,
        "histogram": histogram(shown[0], weights=shown[1]).tolist() if known else None,
        "correct_share": {"from": 0.5, "step": 0.001, "values": curve.tolist()} if labelled else None,
        "leans_to_boundary": results.looks > 1,
    }


def _certified_accuracy(results: Results) -> list[dict[str, float]] | None:
    if results.labels is None:
        return None
    grid = grid_of(results)
    counts = results.certified_counts(grid)
    lower, upper = image_sampling_interval(counts, len(results), INTERVAL_DELTA)
    names = ("radius", "certified_accuracy", "interval_lower", "interval_upper")
    rows = np.column_stack([grid, counts / len(results), lower, upper]).tolist()
    return [dict(zip(names, row, strict=True)) for row in rows]


def _average_certified_radius(results: Results) -> dict[str, Any] | None:
    if results.labels is None:
        return None
    return {"value": results.average_radius, **results.settings}


def _by_budget(results: Results) -> list[dict[str, Any]] | None:
    points = average_radius_by_budget(results)
    return None if points is None else [asdict(point) for point in points]


def _trivial_baseline(results: Results) -> dict[str, Any] | None:
    """Return what the constant classifier earns under the same plan, and the draws with which it wins."""
    if results.labels is None:
        return None
    share = most_frequent_share(results)
    return {
        "most_frequent_share": share,
        "average_radius": share * results.max_radius,
        "draws_to_exceed": _draws_to_exceed(results, share),
    }


def _draws_to_exceed(results: Results, share: float) -> int | None:
    radius = results.average_radius
    gaussian = (results.settings["noise"], results.settings["norm"]) == ("gaussian", "l2")
    if not gaussian or radius == 0:
        return None
    return draws_for_trivial(radius, 1 / share, results.settings["sigma"], results.alpha)


def _easy_share(results: Results) -> list[dict[str, float]] | None:
    if results.labels is None:
        return None
    return [
        {
            "from": least,
            "share": easy_share(results.credited, results.top_shares, least, results.weights),
            "uniform_yardstick": uniform_easy_share(least),
        }
        for least in EASY
    ]
