"""Hold a claim against an evaluation: whatever was printed otherwise is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.reports.claims.claim import bare_name, parse_eps, parse_percent

if TYPE_CHECKING:
    from decimal import Decimal

    from certd.reports.claims.claim import ClaimedModel


@dataclass(frozen=True, slots=True)
class Difference:
    """One member in which a claim and an evaluation differ.

    Attributes:
        member: Its name.
        claimed: As the claim prints it.
        evaluated: As the evaluation prints it.
        note: What the difference means.
    """

    member: str
    claimed: str
    evaluated: str
    note: str


def differences(claimed: ClaimedModel, evaluated: ClaimedModel) -> tuple[Difference, ...]:
    """Return every difference; what one side leaves out is none.

    Accuracies are compared exactly as printed: 95.03 is not 95.23, and neither is rounded to the other. A
    certified accuracy above the attack's own, at one norm and radius, is named too: what is proved of a
    classifier no attack can break, so the two are of different classifiers or of different images.
    """
    found = [*_texts(claimed, evaluated)]
    for member, here, there in (
        ("clean accuracy", claimed.clean_accuracy, evaluated.clean_accuracy),
        ("robust accuracy", claimed.robust_accuracy, evaluated.robust_accuracy),
    ):
        if here is not None and there is not None and here != there:
            found.append(Difference(member, str(here), str(there), f"{_signed(there - here)} points"))
    contradiction = _contradiction(claimed, evaluated)
    return (*found, *([] if contradiction is None else [contradiction]))


def _texts(claimed: ClaimedModel, evaluated: ClaimedModel) -> list[Difference]:
    found = []
    if not claimed.threat.is_like(evaluated.threat):
        note = "accuracies against other threats do not mean the same"
        found.append(Difference("threat", str(claimed.threat), str(evaluated.threat), note))
    here, there = claimed.dataset, evaluated.dataset
    if here and there and bare_name(here) != bare_name(there):
        found.append(Difference("dataset", here, there, "other images"))
    here, there = claimed.evaluation, evaluated.evaluation
    alike = bare_name(here) == bare_name(there) or (claimed.by_autoattack and evaluated.by_autoattack)
    if here and there and not alike:
        found.append(Difference("evaluation", here, there, "what one attack leaves another may break"))
    if claimed.additional_data != evaluated.additional_data and None not in {
        claimed.additional_data,
        evaluated.additional_data,
    }:
        note = "entries with and without additional data are ranked apart"
        answers = (str(claimed.additional_data).lower(), str(evaluated.additional_data).lower())
        found.append(Difference("additional data", *answers, note))
    return found


def _contradiction(claimed: ClaimedModel, evaluated: ClaimedModel) -> Difference | None:
    """Return a certified accuracy of the evaluation that exceeds the claimed one under attack."""
    attacked, threat = claimed.robust_accuracy, claimed.threat
    if attacked is None or threat.eps is None or threat.norm != evaluated.threat.norm:
        return None
    for radius, share in evaluated.certified:
        at, certified = parse_eps(radius), parse_percent(share, radius)
        if at is not None and certified is not None and at >= threat.eps and certified > attacked:
            note = "no attack can break what is proved: other classifiers, or other images"
            return Difference(
                f"certified accuracy at {radius}", f"{attacked} under attack", f"{share} certified", note
            )
    return None


def _signed(difference: Decimal) -> str:
    return f"{difference:+f}"
