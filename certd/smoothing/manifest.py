"""The manifest: what was certified, with what, and in which arithmetic."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict

from certd._version import __version__
from certd.models.runtime.arithmetic import Execution
from certd.noise import Norm
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.request import Certification


class Manifest(BaseModel):
    """What every output carries or names.

    Attributes:
        certification: Model, noise, plan, seed and batch size: enough to draw everything again.
        dataset: Name of the registered data set; None for uploaded images.
        num_images: Images that were asked for, also when only some are finished.
        selection: SHA-256 of the ids of these images, see :func:`certd.datasets.selection_digest`: two runs
            with one data set and one digest looked at the same images. None in files of earlier versions.
        input_shape: Channel, height, width.
        num_classes: Length of every vector of counts.
        norm: The norm of every radius.
        max_radius: The largest radius the plan could certify, in input units.
        execution: How the classifier was executed; a certificate holds for the classifier as executed.
        versions: Of the software that took part.
        marks: What a reader must know that spoils the run, such as images that chose its model.
        drawn: What the draws were made under, where other conclusions were drawn from them since.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    certification: Certification
    dataset: str | None
    num_images: int
    selection: str | None = None
    input_shape: tuple[int, int, int]
    num_classes: int
    norm: Norm
    max_radius: float
    execution: Execution
    versions: dict[str, str]
    marks: tuple[str, ...] = ()
    drawn: Certification | None = None

    @property
    def drawn_under(self) -> Certification:
        """Return what the draws were made under: what draws them again."""
        return self.drawn or self.certification

    @property
    def guarantee(self) -> Guarantee:
        """Return what turns this run's counts into radii."""
        return Guarantee.of(self.certification.noise, self.certification.norm, self.input_shape)

    @property
    def settings(self) -> dict[str, Any]:
        """Return what must accompany every number: sigma, n, alpha, norm, and the plan's other options."""
        noise, plan = self.certification.noise, self.certification.plan
        options = plan.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
        if plan.kind == "fixed":
            options["n0"] = plan.selection_draws
        mixing = self.certification.mixing
        marks = (*self.marks, *self._concluded_anew)
        return {
            "noise": noise.family,
            "sigma": noise.sigma,
            "arithmetic": noise.arithmetic,
            "norm": self.norm,
            "plan": plan.kind,
            "alpha": plan.alpha,
            **options,
            **({} if (drawn := self.certification.check_draws) is None else {"check_draws": drawn}),
            **({} if mixing is None else {"mixture": mixing.title, "mixture_of": mixing.sentence}),
            **({"marked": "; ".join(marks)} if marks else {}),
            **({"mixture_bounds": bounds} if (bounds := self.certification.mixture_bounds) else {}),
        }

    @property
    def _concluded_anew(self) -> tuple[str, ...]:
        """Return what was decided after the draws, as a mark."""
        before, now = _choices(self.drawn_under), _choices(self.certification)
        changed = [name for name in now if now[name] != before.get(name)]
        if not changed:
            return ()
        anew, first = (", ".join(f"{name} = {of.get(name)}" for name in changed) for of in (now, before))
        if_only = "it holds if that was decided before the counts were seen"
        return (f"concluded anew with {anew}, drawn under {first}; {if_only}",)


def _choices(certification: Certification) -> dict[str, Any]:
    """Return what can be decided after the draws, among other things."""
    mixing = certification.mixing
    weight = {} if mixing is None else {"weight": mixing.weight}
    return {"norm": certification.norm, **certification.plan.model_dump(), **weight}


def versions() -> dict[str, str]:
    """Return the versions of what determines the counts."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Read the packages' metadata, which takes milliseconds, once a process."""
    found = {"certd": __version__, "python": platform.python_version()}
    for package in ("torch", "numpy", "scipy", "numba"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return tuple(found.items())
