"""Recomputation: other conclusions from the same counts, with no forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from certd.errors import InvalidParameter
from certd.models.mixing import Mixing
from certd.smoothing.certificate import Certificate
from certd.smoothing.options import invalid_parameter
from certd.smoothing.request import Certification
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


def recompute(run: Run, norm: Norm | None = None, weight: float | None = None, **changes: Any) -> Run:
    """Conclude anew from a run's counts.

    The new certificates hold at the new alpha if it was chosen without looking at these counts: of several
    conclusions from one run, only the one that was decided on beforehand keeps its guarantee.

    Args:
        run: The stored run.
        norm: Another norm of the radius.
        weight: Of a smooth-then-mix mixture, another weight of the robust classifier.
        **changes: Other options of the plan: ``alpha`` for plans that look once or may look always, ``bound``
            and ``top_k`` for the fixed plan.

    Returns:
        The same records under the changed manifest, which keeps what they were drawn under.

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
    if weight is not None:
        changed = reweighted(changed, weight)
    drawn = run.manifest.drawn_under
    manifest = run.manifest.model_copy(
        update={
            "certification": changed, "norm": changed.norm, "drawn": None if changed == drawn else drawn,
        }
    )  # fmt: skip
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


def reweighted(certification: Certification, weight: float) -> Certification:
    """Return ``certification`` of the same smoothed classifier at another weight in the mixture.

    The weight decides nothing about the draws, so it may change after them; and it makes another mixture,
    whose digest the model's reference then has.

    Raises:
        InvalidParameter: If there is no such mixture, a network chooses the weight, or it is below one half.
    """
    mixing = certification.mixing
    if mixing is None or mixing.product != "smooth-then-mix" or mixing.adaptive:
        raise InvalidParameter(
            "Only a smooth-then-mix mixture of constant weight can be given another one afterwards.",
            pointer="/weight",
        )
    try:
        changed = Mixing.model_validate({**mixing.model_dump(), "weight": weight})
    except ValidationError as error:
        raise invalid_parameter(error) from None
    name = certification.model.partition("@")[0]
    return certification.model_copy(update={"model": f"{name}@sha256:{changed.digest}", "mixing": changed})
