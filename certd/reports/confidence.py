"""How sure a classifier is, held against how often it is right: base and smoothed, clean and under noise.

References:
    Grabinski, Gavrikov, Keuper and Keuper (2022), Robust models are less over-confident, arXiv:2210.05938.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.reports.calibration import ConfidenceBins, bins_of
from certd.reports.error_detection import detect_errors
from certd.reports.printed import floored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from certd.reports.results import Results

LEAST_ACCURACY = 0.5
UNRELIABLE = (
    "Calibration of the {}: its accuracy is below one half ({}), where a classifier that is never sure looks "
    "calibrated; read the measures with that in mind."
)


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceReport:
    """Confidences of one run.

    Attributes:
        clean: The base classifier on the images without noise, one answer an image.
        noisy: The base classifier on all noisy copies of all images.
        smoothed: The smoothed classifier: the vote share of its class, one answer an image.
        brier: Mean squared distance of the softmax from the label, on noisy copies, in [0, 2].
        log_loss: Mean ``-ln`` of the label's softmax on noisy copies, at most 100 a draw.
        vote_softmax_gap: Mean of vote share less mean softmax of the tested class: what counting votes hides.
        clean_confidence_gap: Mean of clean confidence less vote share: how much surer the base classifier is.
        detection: What each score is worth for finding the smoothed classifier's errors.
        scores: Those scores, float64[image], by name.
        right: Whether the smoothed classifier's class is the label, bool[image].
    """

    clean: ConfidenceBins
    noisy: ConfidenceBins
    smoothed: ConfidenceBins
    brier: float
    log_loss: float
    vote_softmax_gap: float
    clean_confidence_gap: float
    detection: Mapping[str, dict[str, float] | None]
    scores: Mapping[str, NDArray[np.float64]]
    right: NDArray[np.bool_]

    @property
    def sides(self) -> dict[str, ConfidenceBins]:
        """Return the three classifiers under the names that tables and figures use."""
        return {
            "base classifier, clean images": self.clean,
            "base classifier under the noise": self.noisy,
            "smoothed classifier, vote share": self.smoothed,
        }

    @property
    def warnings(self) -> list[str]:
        """Return a sentence for each side whose calibration should not be read."""
        return [
            UNRELIABLE.format(name, floored(bins.accuracy, 3))
            for name, bins in self.sides.items()
            if bins.accuracy < LEAST_ACCURACY
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under stable names."""
        return {
            "clean": _numbers(self.clean),
            "noisy": _numbers(self.noisy),
            "smoothed": _numbers(self.smoothed),
            "brier": self.brier,
            "log_loss": self.log_loss,
            "vote_softmax_gap": self.vote_softmax_gap,
            "clean_confidence_gap": self.clean_confidence_gap,
            "error_detection": dict(self.detection),
            "warnings": self.warnings,
        }


def confidence_report(results: Results) -> ConfidenceReport | None:
    """Return how sure a run's classifiers are; None where the run did not record it, or has no labels."""
    softmax, labels = results.softmax, results.labels
    if softmax is None or labels is None:
        return None
    votes, right = results.top_shares, np.asarray(results.top_classes == labels)
    scores = {
        "vote share": votes,
        "certified radius": results.radii,
        "mean softmax": softmax.top_mean,
        "clean confidence": softmax.clean_confidence,
    }
    found = {name: detect_errors(values, right) for name, values in scores.items()}
    return ConfidenceReport(
        clean=bins_of(softmax.clean_confidence, softmax.clean_class == labels),
        noisy=softmax.draws,
        smoothed=bins_of(votes, right),
        brier=float(softmax.brier.mean()),
        log_loss=float(softmax.log_loss.mean()),
        vote_softmax_gap=float((votes - softmax.top_mean).mean()),
        clean_confidence_gap=float((softmax.clean_confidence - votes).mean()),
        detection={name: None if each is None else asdict(each) for name, each in found.items()},
        scores=scores,
        right=right,
    )


def _numbers(bins: ConfidenceBins) -> dict[str, Any]:
    return {
        "accuracy": bins.accuracy,
        "confidence": bins.confidence,
        "over_confidence": bins.over_confidence,
        "under_confidence": bins.under_confidence,
        "expected_calibration_error": bins.calibration_error(),
        "expected_calibration_error_2": bins.calibration_error(2),
        "maximum_calibration_error": bins.calibration_error(np.inf),
        "bins": [
            {"from": low, "to": high, "answers": answers, "confidence": confidence, "accuracy": accuracy}
            for low, high, answers, confidence, accuracy in bins.rows
        ],
    }
