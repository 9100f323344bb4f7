"""What a stored row must be so that conclusions may be drawn from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certd.smoothing.draws import Phase

if TYPE_CHECKING:
    from certd.smoothing.draws import Record
    from certd.smoothing.plans import Plan

COUNTS = {phase: f"{phase.name.lower()}_counts" for phase in Phase}
"""The column of each phase's counts."""
OUTCOMES = 2
"""What the two classifications of a checked draw can be to one another: alike, or not."""
_OF_CLASSES = (
    "soft_scores", "soft_squares", "standard_logits", "clean_scores", "confidence_scores",
    "confidence_squares",
)  # fmt: skip


def require_shapes(row: dict[str, Any], num_classes: int) -> None:
    """Refuse counts and a label that are of other classes than the manifest's.

    Raises:
        ValueError: Saying what is wrong.
        KeyError: If a column is missing.
    """
    label = row["label"]
    if row["image_id"] is None:
        raise ValueError("it has no image_id")
    if label is not None and not 0 <= label < num_classes:
        raise ValueError(f"label {label} is none of {num_classes} classes")
    for phase, column in COUNTS.items():
        counts = row.get(column)
        members = OUTCOMES if phase is Phase.CHECK else num_classes
        if counts is not None and (len(counts) != members or min(counts) < 0 or not any(counts)):
            raise ValueError(f"{column} are no counts of {members} classes")
    for column in _OF_CLASSES:
        if row.get(column) is not None and len(row[column]) != num_classes:
            raise ValueError(f"{column} has {len(row[column])} members for {num_classes} classes")


def require_evidence(record: Record, plan: Plan) -> None:
    """Refuse looks and sums that are not those of the plan: they would prove what was not counted.

    The last look is at all draws, so it is the present count of the class that was tested.

    Raises:
        ValueError: Saying what is wrong.
        KeyError: If a phase is missing.
    """
    tally = record.tallies[Phase.ESTIMATION]
    if (tally.soft is None) != (plan.vote_kind != "summed"):
        raise ValueError("sums of the softmax are kept where the plan bounds them, and only there")
    tested = plan.tested_class(record)
    if tested is None and plan.kind == "radii":
        raise ValueError("the draws that chose its class are missing")
    looks = [] if tested is None else [int(tally.counts[tested])]
    if list(record.trail[-1:]) != looks:
        raise ValueError("its looks do not end at the count of the tested class")
