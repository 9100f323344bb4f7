"""A certificate: what was counted for one image, and what that proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certd.smoothing.draws import Phase, Record
from certd.smoothing.evidence import COUNTS

if TYPE_CHECKING:
    from certd.smoothing.draws import Tally
    from certd.smoothing.plans.plan import Conclusion


@dataclass(frozen=True, slots=True)
class Certificate:
    """One image's counts with the conclusion drawn from them.

    The record is the evidence and is never changed; the conclusion can be recomputed from it at any time.
    """

    record: Record
    conclusion: Conclusion

    @property
    def correct(self) -> bool | None:
        """Return whether the prediction is the label; None where the label is unknown."""
        if self.record.label is None:
            return None
        return self.conclusion.prediction == self.record.label

    @property
    def p_a_estimate(self) -> float:
        """Return ``k / n`` of the tested class."""
        return self.conclusion.top_count / self.conclusion.draws

    @property
    def p_label_estimate(self) -> float | None:
        """Return the label's share of the estimation draws; None where the label is unknown."""
        if self.record.label is None:
            return None
        tally = self.record.tallies[Phase.ESTIMATION]
        return int(tally.counts[self.record.label]) / tally.draws

    @property
    def outcome(self) -> str:
        """Return ``certified`` or ``abstained``."""
        return "abstained" if self.conclusion.abstained else "certified"

    def row(self) -> dict[str, Any]:
        """Return the certificate as one flat row of plain values, under the names that files and REST use."""
        record, conclusion = self.record, self.conclusion
        return {
            "image_id": record.image_id,
            "label": record.label,
            "prediction": conclusion.prediction,
            "outcome": self.outcome,
            "correct": self.correct,
            "radius": conclusion.radius,
            "p_a_lower": conclusion.p_a_lower,
            "p_a_estimate": self.p_a_estimate,
            "p_label_estimate": self.p_label_estimate,
            "top_class": conclusion.top_class,
            "top_count": conclusion.top_count,
            "draws": conclusion.draws,
            "total_draws": record.total_draws,
            **_published(conclusion),
            **counts_row(record),
        }


def _published(conclusion: Conclusion) -> dict[str, float | None]:
    """Return what the paper's theorems give a mixture; None for other certificates."""
    smoothing, lipschitz = conclusion.published_radii or (None, None)
    return {"published_smoothing_radius": smoothing, "published_lipschitz_radius": lipschitz}


def counts_row(record: Record) -> dict[str, Any]:
    """Return what was counted: the part of a row from which the rest follows."""
    estimation = record.tallies.get(Phase.ESTIMATION)
    soft = None if estimation is None else estimation.soft
    return {
        "image_sha256": record.image_sha256,
        **{
            column: record.tallies[phase].counts.tolist() if phase in record.tallies else None
            for phase, column in COUNTS.items()
        },
        "trail": list(record.trail),
        "soft_scores": None if soft is None else soft.scores.tolist(),
        "soft_squares": None if soft is None else soft.squares.tolist(),
        "standard_logits": None if record.standard is None else list(record.standard.logits),
        "mixing_weight": None if record.standard is None else record.standard.weight,
        "clean_scores": None if record.clean_scores is None else list(record.clean_scores),
        **_confidence_row(estimation),
    }


def _confidence_row(tally: Tally | None) -> dict[str, Any]:
    """Return the sums of a record's confidence, the two rows of a histogram one after the other."""
    sums = None if tally is None else tally.confidence
    names = ("scores", "squares", "draws", "confidence")
    row = {name: None if sums is None else getattr(sums, name).ravel().tolist() for name in names}
    return {
        "confidence_scores": row["scores"],
        "confidence_squares": row["squares"],
        "confidence_draws": row["draws"],
        "confidence_sums": row["confidence"],
        "confidence_log_loss": None if sums is None else sums.log_loss,
    }
