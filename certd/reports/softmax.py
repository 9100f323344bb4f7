"""What a run recorded of its base classifier's softmax, image by image and in bins over all draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.reports.calibration import ConfidenceBins
from certd.smoothing.draws import Phase
from certd.smoothing.votes import LOSS_SCALE, SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from certd.smoothing.certificate import Certificate


_COLUMNS = ("label_mean", "top_mean", "squares", "log_loss", "clean_confidence", "clean_class")


@dataclass(frozen=True, slots=True, eq=False)
class SoftmaxRecord:
    """Means over each image's estimation draws, float64[image], and all draws together in bins.

    Attributes:
        label_mean: Softmax of the label.
        top_mean: Softmax of the tested class.
        squares: Sum over classes of the squared softmax.
        log_loss: ``-ln`` of the label's softmax, at most 100 a draw.
        clean_confidence: Largest softmax of the image without noise.
        clean_class: Class of that, int64[image].
        draws: All draws of all images by confidence.
    """

    label_mean: NDArray[np.float64]
    top_mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    log_loss: NDArray[np.float64]
    clean_confidence: NDArray[np.float64]
    clean_class: NDArray[np.int64]
    draws: ConfidenceBins

    @property
    def brier(self) -> NDArray[np.float64]:
        """Return the mean over draws of the squared distance of the softmax from the label's unit vector."""
        return np.asarray(self.squares - 2 * self.label_mean + 1)


def softmax_record(certificates: Sequence[Certificate]) -> SoftmaxRecord | None:
    """Return what certificates recorded; None unless all of them did."""
    rows = [_row(each) for each in certificates]
    if not rows or any(row is None for row in rows):
        return None
    columns = np.array([row for row in rows if row is not None], np.float64).T
    sums = [each.record.tallies[Phase.ESTIMATION].confidence for each in certificates]
    counts = np.sum([one.draws for one in sums if one is not None], axis=0)
    confidence = np.sum([one.confidence for one in sums if one is not None], axis=0) / SCALE
    named: dict[str, Any] = dict(zip(_COLUMNS, columns, strict=True))
    named["clean_class"] = named["clean_class"].astype(np.int64)
    return SoftmaxRecord(**named, draws=ConfidenceBins(counts, confidence))


def joined_softmax(parts: Sequence[SoftmaxRecord | None]) -> SoftmaxRecord | None:
    """Return several parts of one run as one; None unless all of them recorded it."""
    found = [part for part in parts if part is not None]
    if not found or len(found) < len(parts):
        return None
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in found]) for name in _COLUMNS
    }
    counts = np.sum([part.draws.counts for part in found], axis=0)
    sums = np.sum([part.draws.sums for part in found], axis=0)
    return SoftmaxRecord(**columns, draws=ConfidenceBins(counts, sums))


def _row(certificate: Certificate) -> tuple[float, ...] | None:
    record = certificate.record
    sums = record.tallies[Phase.ESTIMATION].confidence
    if sums is None or record.clean_scores is None or record.label is None:
        return None
    draws = int(sums.draws.sum())
    clean = np.array(record.clean_scores, np.float64) / SCALE
    return (
        float(sums.scores[record.label]) / SCALE / draws,
        float(sums.scores[certificate.conclusion.top_class]) / SCALE / draws,
        float(sums.squares.sum()) / SCALE / draws,
        sums.log_loss / LOSS_SCALE / draws,
        float(clean.max()),
        float(clean.argmax()),
    )
