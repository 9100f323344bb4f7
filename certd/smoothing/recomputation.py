"""Recomputation: other conclusions from the same counts, with no forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from certd.errors import InvalidParameter
from certd.smoothing.certificate import Certificate
from certd.smoothing.request import Certification, invalid_parameter
from certd.smoothing.run import Run

if TYPE_CHECKING:
    from certd.noise import Norm

# What may change after the draws, because it decided neither which draws were made nor when they ended.
_CHANGEABLE = {
    "fixed": {"alpha", "bound", "top_k"},
    "precision": {"alpha"},
    "open": {"alpha"},
    "radii": set[str](),
    "exhaustive": set[str](),
    "predict": {"alpha"},
}


def recompute(run: Run, norm: Norm | None = None, **changes: Any) -> Run:
    """Conclude anew from a run's counts.

    The new certificates hold at the new alpha if it was chosen without looking at these counts: of several
    conclusions from one run, only the one that was decided on beforehand keeps its guarantee.

    Args:
        run: The stored run.
        norm: Another norm of the radius.
        **changes: Other options of the plan: ``alpha`` for plans that look once or may look always, ``bound``
            and ``top_k`` for the fixed plan.

    Returns:
        The same records under the changed manifest.

    Raises:
        InvalidParameter: If a change would alter which draws had been made, or the noise has no such norm.
    """
    certification = run.manifest.certification
    plan = certification.plan
    forbidden = sorted(changes.keys() - _CHANGEABLE[plan.kind])
    if forbidden or (
        norm is not None and norm != certification.norm and plan.kind in {"radii", "exhaustive"}
    ):
        raise InvalidParameter(
            f"{', '.join(forbidden) or 'norm'} decided the draws of plan {plan.kind}, or when they ended, "
            "and cannot be changed afterwards. Submit a new job."
        )
    changed = _changed(certification, norm, changes)
    manifest = run.manifest.model_copy(update={"certification": changed, "norm": changed.norm})
    guarantee = manifest.guarantee
    procedure = changed.procedure
    procedure.check(guarantee, manifest.num_classes)
    manifest = manifest.model_copy(update={"max_radius": procedure.max_radius(guarantee)})
    certificates = (
        Certificate(certificate.record, procedure.conclude(certificate.record, guarantee))
        for certificate in run.certificates
    )
    return Run(manifest, tuple(certificates))


def _changed(certification: Certification, norm: Norm | None, changes: dict[str, Any]) -> Certification:
    plan = {**certification.plan.model_dump(), **changes}
    values = {**certification.model_dump(), "plan": plan, "norm": norm or certification.norm}
    try:
        return Certification.model_validate(values)
    except ValidationError as error:
        raise invalid_parameter(error) from None
