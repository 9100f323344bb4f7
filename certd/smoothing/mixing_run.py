"""Mix the stored run of a smoothed classifier with a standard one: g runs once an image, nothing is drawn."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from certd.errors import InvalidParameter
from certd.smoothing.certificate import Certificate
from certd.smoothing.options import invalid_parameter
from certd.smoothing.request import Certification
from certd.smoothing.run import Run
from certd.smoothing.standard import StandardOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from certd.models import BaseClassifier
    from certd.smoothing.draws import Record
    from certd.statistics.mixture_bounds import BoundKind


def mix_run(
    run: Run,
    mixture: BaseClassifier,
    images: Callable[[int], NDArray[np.uint8]],
    bounds: BoundKind = "classes",
    device: str = "cpu",
) -> Run:
    """Return the run of a smooth-then-mix mixture that has the votes of ``run``.

    The noise depends on the seed and the image alone, so these are the very counts that certifying the
    mixture would give. What was decided afterwards, the weight and the bounds, must not have been chosen by
    looking at them.

    Args:
        run: Of the mixture's robust classifier, plan fixed or predict.
        mixture: Of smooth-then-mix.
        images: Returns the pixels of an image id, uint8[channel, height, width].
        bounds: Which classes are bounded.
        device: Where the mixture's modules are.

    Raises:
        InvalidParameter: If the run is of another classifier or plan, or the images are others.
    """
    first = run.manifest.drawn
    certification = _certification(run.manifest.certification, mixture, bounds)
    drawn = None if first is None else _certification(first, mixture, bounds)
    guarantee, plan = run.manifest.guarantee, certification.procedure
    plan.check(guarantee, run.manifest.num_classes)
    records = [_observed(certificate.record, mixture, images, device) for certificate in run.certificates]
    manifest = run.manifest.model_copy(
        update={
            "certification": certification, "drawn": drawn, "max_radius": plan.max_radius(guarantee),
        }
    )  # fmt: skip
    return Run(manifest, tuple(Certificate(record, plan.conclude(record, guarantee)) for record in records))


def _certification(voted: Certification, mixture: BaseClassifier, bounds: BoundKind) -> Certification:
    mixing = mixture.mixing
    if mixing is None or mixture.standard is None:
        raise InvalidParameter(
            f"{mixture.name} is no smooth-then-mix mixture, so no stored votes are its own."
        )
    if voted.model.partition("@")[2] != mixing.robust.partition("@")[2]:
        raise InvalidParameter(
            f"The run counts votes of {voted.model}; {mixture.name} mixes {mixing.robust}. Name its run."
        )
    soft = voted.plan.kind == "fixed" and voted.plan.votes == "soft"
    if mixing.robust_transform is not None or (soft and mixing.robust_scale != 1):
        raise InvalidParameter("These votes depend on the logits' scale; certify the mixture itself.")
    values = {
        **voted.model_dump(), "model": mixture.reference, "mixing": mixing, "mixture_bounds": bounds,
    }  # fmt: skip
    try:
        return Certification.model_validate(values)
    except ValidationError as error:
        raise invalid_parameter(error) from None


def _observed(
    record: Record, mixture: BaseClassifier, images: Callable[[int], NDArray[np.uint8]], device: str
) -> Record:
    pixels = np.ascontiguousarray(images(record.image_id))
    if hashlib.sha256(pixels.tobytes()).hexdigest() != record.image_sha256:
        raise InvalidParameter(
            f"Image {record.image_id} has other pixels than the run; name the data set it was made from."
        )
    assert mixture.standard is not None  # noqa: S101 - refused before
    ((logits, weight),) = mixture.standard.observe(pixels[None], device)
    return replace(record, standard=StandardOutput(logits, weight))
