"""Verification: draw a stored run again and compare every count."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.smoothing.draws import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from certd.smoothing.certificate import Certificate
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.draws import Record
    from certd.smoothing.run import Run

LOGIT_TOLERANCE = 1e-3
"""Absolute, on the standard classifier's float32 logits: above what machines differ by."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What drawing again has found.

    Attributes:
        num_images: Images drawn again, up to and including the first that differs.
        difference: The first difference as a sentence, or None if every count agrees.
    """

    num_images: int
    difference: str | None


def verify(
    run: Run,
    certifier: Certifier,
    images: Callable[[int], NDArray[np.uint8]],
    sample: int | None = None,
    seed: int = 0,
) -> Verification:
    """Draw the images of ``run`` again and compare their counts exactly.

    Args:
        run: The stored run.
        certifier: Made from what the run was drawn under, ``run.manifest.drawn_under``.
        images: Returns the pixels of an image id, uint8[channel, height, width].
        sample: How many images to draw again, chosen at random; None for all.
        seed: Chooses the sample.

    Returns:
        How many images were drawn, and the first difference.

    Raises:
        InvalidParameter: If ``sample`` is not between 1 and the number of images, or the certifier is made
            from something else.
    """
    if certifier.certification != run.manifest.drawn_under:
        raise InvalidParameter(
            "This certifier would make other draws; make it from the run's manifest.drawn_under."
        )
    for number, certificate in enumerate(_sampled(run.certificates, sample, seed), start=1):
        difference = _difference(certificate, certifier, images(certificate.record.image_id))
        if difference is not None:
            return Verification(number, difference)
    return Verification(len(run.certificates) if sample is None else sample, None)


def _sampled(certificates: Sequence[Certificate], sample: int | None, seed: int) -> Sequence[Certificate]:
    if sample is None:
        return certificates
    if not 1 <= sample <= len(certificates):
        raise InvalidParameter(f"The run holds {len(certificates)} images; a sample has 1 to that many.")
    chosen = np.random.default_rng(seed).choice(len(certificates), sample, replace=False)
    return [certificates[i] for i in sorted(chosen)]


def _difference(stored: Certificate, certifier: Certifier, pixels: NDArray[np.uint8]) -> str | None:
    record = stored.record
    name = f"image {record.image_id}"
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    if digest != record.image_sha256:
        return f"{name}: its pixels have SHA-256 {digest}, the run has {record.image_sha256}"
    labels = None if record.label is None else np.array([record.label])
    ids = np.array([record.image_id], dtype=np.uint64)
    (drawn,) = certifier.certify(pixels[None], ids, labels)
    return _count_difference(name, record, drawn.record)


def _count_difference(name: str, stored: Record, drawn: Record) -> str | None:
    for phase in Phase:
        before, now = stored.tallies.get(phase), drawn.tallies.get(phase)
        if (before is None) != (now is None):
            return f"{name}: only one of the two has {phase.name.lower()} draws"
        if before is None or now is None or np.array_equal(before.counts, now.counts):
            continue
        if before.counts.shape != now.counts.shape:
            return f"{name}: {len(now.counts)} classes were counted, the run has {len(before.counts)}"
        c = int(np.argmax(before.counts != now.counts))
        where = f"{name}, {phase.name.lower()} draws, class {c}"
        return f"{where}: counted {now.counts[c]}, the run has {before.counts[c]}"
    return _standard_difference(name, stored, drawn)


def _standard_difference(name: str, stored: Record, drawn: Record) -> str | None:
    """Compare what a mixture's standard classifier says of the clean image; machines may round it apart."""
    before, now = stored.standard, drawn.standard
    if before is None and now is None:
        return None
    if before is None or now is None:
        return f"{name}: only one of the two has what the standard classifier says of the image"
    said, again = (np.array([*one.logits, one.weight or 0.0]) for one in (before, now))
    if said.shape == again.shape and np.allclose(said, again, rtol=0, atol=LOGIT_TOLERANCE):
        return None
    return f"{name}: the standard classifier says something else of the clean image than in the run"
