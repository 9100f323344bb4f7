"""A mixture at many weights, concluded from one run's counts: what each weight buys and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.errors import CannotCertify, InvalidParameter
from certd.reports.accuracy import certified_accuracy, radius_grid
from certd.reports.radius import average_certified_radius
from certd.reports.results import results_of
from certd.smoothing.certificate import Certificate
from certd.smoothing.draws import Phase
from certd.smoothing.plans.mixture import l2_per
from certd.smoothing.recomputation import recompute
from certd.smoothing.run import Run
from certd.statistics.mixture_bounds import HeldProbabilities, class_bounds
from certd.statistics.mixtures import margin_at, weight_for_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.models.mixing import Mixing
    from certd.reports.results import Results

DEFAULT_WEIGHTS = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
DEFAULT_SHARES = (0.8, 0.9, 0.95, 0.98)
MOST_WEIGHTS = 64
CHOOSE_ELSEWHERE = (
    "Each row holds at its own alpha for a weight that was decided before these images were looked at. A "
    "weight chosen from this sweep flatters itself: certify it on other images, with fresh noise, and report "
    "that."
)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """What MixedNUTS' rule says: the least weight that keeps a share certified at a radius.

    Attributes:
        radius: In input units, of the run's norm.
        share: Of the images that the smoothed classifier alone certifies for their label there.
        weight: The weight; None where no weight keeps that share.
    """

    radius: float
    share: float
    weight: float | None


@dataclass(frozen=True, slots=True)
class WeightSweep:
    """One smoothed classifier mixed at many weights, over the same counts.

    Attributes:
        mixing: The mixture of the run; of it all but the weight is kept.
        weights: Rising.
        mixtures: The results at each weight.
        smoothed: The smoothed classifier alone, under its ordinary certificate at the same alpha.
        clean_accuracy: Of the standard classifier alone, on the clean images.
        radii: Of the tables, input units.
        rule: MixedNUTS' rule for some radii and shares.
    """

    mixing: Mixing
    weights: tuple[float, ...]
    mixtures: tuple[Results, ...]
    smoothed: Results
    clean_accuracy: float
    radii: tuple[float, ...]
    rule: tuple[RuleRow, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under keys that do not change."""
        return {
            "mixture": self.mixing.model_dump(mode="json"),
            "settings": {k: v for k, v in self.smoothed.settings.items() if k != "mixture"},
            "images": len(self.smoothed),
            "radii": list(self.radii),
            "standard_clean_accuracy": self.clean_accuracy,
            "smoothed_alone": _row(self.smoothed, self.radii),
            "weights": [
                {"weight": weight, **_row(results, self.radii)}
                for weight, results in zip(self.weights, self.mixtures, strict=True)
            ],
            "rule": [{"radius": row.radius, "share": row.share, "weight": row.weight} for row in self.rule],
            "warning": CHOOSE_ELSEWHERE,
        }


def sweep_weights(
    run: Run,
    weights: Sequence[float] = DEFAULT_WEIGHTS,
    radii: Sequence[float] | None = None,
    shares: Sequence[float] = DEFAULT_SHARES,
) -> WeightSweep:
    """Conclude a smooth-then-mix run anew at every weight, with no forward pass.

    Args:
        run: Of a mixture of constant weight, fixed plan, with labels.
        weights: Of the robust classifier, each in [1/2, 1].
        radii: Of the tables; by default steps of .25 up to the cap, and halves of them below .5.
        shares: For which the rule for the weight is asked.

    Raises:
        InvalidParameter: If the run is no such mixture, has no labels, or a weight is outside its domain.
    """
    certification = run.manifest.certification
    mixing = certification.mixing
    if mixing is None or not certification.smooths_then_mixes or certification.plan.kind != "fixed":
        raise InvalidParameter(
            "A sweep over weights needs a run of a smooth-then-mix mixture under the plan fixed; certify "
            "one, or mix the run of a smoothed classifier with certd mix."
        )
    chosen = tuple(sorted(set(weights)))
    if not 1 <= len(chosen) <= MOST_WEIGHTS:
        raise InvalidParameter(f"Name between one weight and {MOST_WEIGHTS}.", pointer="/weights")
    mixtures = tuple(_at(run, weight) for weight in chosen)
    if mixtures[0].labels is None:
        raise InvalidParameter("A sweep over weights is about accuracy; it needs a label for every image.")
    smoothed = results_of(_alone(run, mixing))
    grid = tuple(radii or _grid(smoothed.max_radius))
    return WeightSweep(
        mixing=mixing,
        weights=chosen,
        mixtures=mixtures,
        smoothed=smoothed,
        clean_accuracy=_clean_accuracy(run),
        radii=grid,
        rule=_rule(run, grid[1:], shares),
    )


def _at(run: Run, weight: float) -> Results:
    results = results_of(recompute(run, weight=weight))
    return replace(results, model=f"weight {weight:g}")


def _alone(run: Run, mixing: Mixing) -> Run:
    """Return the ordinary run of the smoothed classifier that the counts are of."""
    certification = run.manifest.certification.model_copy(
        update={"model": mixing.robust, "mixing": None, "mixture_bounds": None}
    )
    guarantee, plan = run.manifest.guarantee, certification.procedure
    manifest = run.manifest.model_copy(
        update={"certification": certification, "max_radius": plan.max_radius(guarantee)}
    )
    records = [certificate.record for certificate in run.certificates]
    return Run(manifest, tuple(Certificate(record, plan.conclude(record, guarantee)) for record in records))


def _grid(max_radius: float) -> list[float]:
    step = 0.125 if max_radius < 1 else 0.25
    return radius_grid(max_radius, step)[:-1]


def _clean_accuracy(run: Run) -> float:
    records = [certificate.record for certificate in run.certificates]
    answers = [record.standard and int(np.argmax(record.standard.logits)) for record in records]
    return float(np.mean([answer == record.label for answer, record in zip(answers, records, strict=True)]))


def _rule(run: Run, radii: Sequence[float], shares: Sequence[float]) -> tuple[RuleRow, ...]:
    """Ask the rule of the images that the smoothed classifier certifies for their label at each radius."""
    guarantee, held = run.manifest.guarantee, _held(run)
    rows = []
    for radius in radii:
        found = [margin_at(one, radius * l2_per(guarantee), guarantee.law.sigma) for one in held]
        margins = [margin for margin in found if margin > 0]
        rows += [RuleRow(radius, share, _weight(margins, share)) for share in shares]
    return tuple(rows)


def _weight(margins: Sequence[float], share: float) -> float | None:
    try:
        return weight_for_share(margins, share) if margins else None
    except CannotCertify:
        return None


def _held(run: Run) -> list[HeldProbabilities]:
    """Return the proved bounds of the images whose label the selection draws chose."""
    guarantee, certification = run.manifest.guarantee, run.manifest.certification
    found = []
    for certificate in run.certificates:
        record = certificate.record
        counts = record.tallies[Phase.ESTIMATION].counts
        selected = int(record.tallies[Phase.SELECTION].counts.argmax())
        if selected != record.label:
            continue
        bounds = certification.mixture_bounds or "classes"
        lower, uppers = class_bounds(counts, selected, certification.plan.alpha, bounds)
        highest = float(np.delete(uppers, selected).max())
        found.append(HeldProbabilities(*guarantee.widen(lower, highest)))
    return found


def _row(results: Results, radii: Sequence[float]) -> dict[str, Any]:
    return {
        "accuracy": certified_accuracy(results.radii, results.correct, 0.0)[0].item(),
        "abstention_rate": float((~results.certified).mean()),
        "certified_accuracy": certified_accuracy(results.radii, results.correct, radii).tolist(),
        "average_certified_radius": average_certified_radius(results.radii, results.correct),
        "largest_radius": results.max_radius,
    }
