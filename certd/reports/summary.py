"""The report as JSON: every number with what it rests on, under keys that do not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from certd.reports.accuracy import certified_accuracy, radius_grid
from certd.reports.guarantees import guarantees
from certd.reports.pa_distribution import quantiles
from certd.reports.radius import average_certified_radius

if TYPE_CHECKING:
    from certd.smoothing.run import Run


def summarize(run: Run) -> dict[str, Any]:
    """Return the report of a run; a partial run is reported over the images it has finished.

    Args:
        run: At least one certificate.

    Returns:
        Plain values for JSON. What needs labels is None where an image has none.
    """
    conclusions = [certificate.conclusion for certificate in run.certificates]
    radii = np.array([conclusion.radius for conclusion in conclusions])
    abstained = np.array([conclusion.abstained for conclusion in conclusions])
    return {
        "images": {"requested": run.manifest.num_images, "finished": len(run.certificates)},
        "settings": run.manifest.settings,
        "pa_distribution": _pa_distribution(run),
        "certified_accuracy": _certified_accuracy(run, radii),
        "average_certified_radius": _average_certified_radius(run, radii),
        "abstention_rate": float(abstained.mean()),
        "max_radius": run.manifest.max_radius,
        "total_draws": sum(certificate.record.total_draws for certificate in run.certificates),
        "guarantees": guarantees(run),
        "manifest": run.manifest.model_dump(mode="json"),
    }


def _pa_distribution(run: Run) -> dict[str, Any]:
    """Return both probabilities of reports: of the tested class, and of the true label."""
    tested = np.array([certificate.p_a_estimate for certificate in run.certificates])
    return {
        "tested_class_quantiles": quantiles(tested),
        "label_quantiles": quantiles(_label_shares(run)) if _labelled(run) else None,
    }


def _certified_accuracy(
    run: Run, radii: np.ndarray[Any, np.dtype[np.float64]]
) -> list[dict[str, float]] | None:
    if not _labelled(run):
        return None
    grid = radius_grid(run.manifest.max_radius)
    shares = certified_accuracy(radii, _correct(run), grid)
    return [{"radius": r, "certified_accuracy": float(share)} for r, share in zip(grid, shares, strict=True)]


def _average_certified_radius(
    run: Run, radii: np.ndarray[Any, np.dtype[np.float64]]
) -> dict[str, Any] | None:
    if not _labelled(run):
        return None
    return {"value": average_certified_radius(radii, _correct(run)), **run.manifest.settings}


def _labelled(run: Run) -> bool:
    return all(certificate.record.label is not None for certificate in run.certificates)


def _correct(run: Run) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([certificate.correct is True for certificate in run.certificates])


def _label_shares(run: Run) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([certificate.p_label_estimate for certificate in run.certificates], dtype=np.float64)
