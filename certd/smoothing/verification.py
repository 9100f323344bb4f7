"""Verification: draw a stored run again and compare everything that its conclusions rest on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.smoothing.draws import Phase
from certd.smoothing.votes import LOSS_SCALE, SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from certd.smoothing.certificate import Certificate
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.draws import Record
    from certd.smoothing.run import Run

LOGIT_TOLERANCE = 1e-3
"""Absolute, on the standard classifier's float32 logits: above what machines differ by."""
SCORE_TOLERANCE = 1e-4
"""Absolute, on a mean softmax over the draws: machines round single ones apart by more, but to both sides."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What drawing again has found.

    Attributes:
        num_images: Images drawn again, up to and including the first that differs.
        difference: The first difference as a sentence, or None if every count agrees.
    """

    num_images: int
    difference: str | None


def verify(  # noqa: PLR0913 - what was drawn, of what, and how much of it is drawn again
    run: Run,
    certifier: Certifier,
    images: Callable[[int], NDArray[np.uint8]],
    sample: int | None = None,
    seed: int = 0,
    *,
    labels: Callable[[int], int | None] | None = None,
) -> Verification:
    """Draw the images of ``run`` again and compare their counts exactly, sums of a softmax nearly so.

    Args:
        run: The stored run.
        certifier: Made from what the run was drawn under, ``run.manifest.drawn_under``.
        images: Returns the pixels of an image id, uint8[channel, height, width].
        sample: How many images to draw again, chosen at random; None for all.
        seed: Chooses the sample.
        labels: Returns the label that the data set has for an image id; None to trust those of the run.

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
        record = certificate.record
        difference = _label_difference(record, labels) or _difference(
            record, certifier, images(record.image_id)
        )
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


def _label_difference(record: Record, labels: Callable[[int], int | None] | None) -> str | None:
    known = None if labels is None or record.label is None else labels(record.image_id)
    if known is None or known == record.label:
        return None
    return (
        f"image {record.image_id}: its label is {known} in the data set, {record.label} in the run; a run "
        "that was made with a label map is verified with it"
    )


def _difference(record: Record, certifier: Certifier, pixels: NDArray[np.uint8]) -> str | None:
    name = f"image {record.image_id}"
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    if digest != record.image_sha256:
        return f"{name}: its pixels have SHA-256 {digest}, the run has {record.image_sha256}"
    labels = None if record.label is None else np.array([record.label])
    ids = np.array([record.image_id], dtype=np.uint64)
    (drawn,) = certifier.certify(pixels[None], ids, labels)
    return (
        _count_difference(name, record, drawn.record)
        or _trail_difference(name, record.trail, drawn.record.trail)
        or _sum_difference(name, record, drawn.record)
        or _standard_difference(name, record, drawn.record)
    )


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
    return None


def _trail_difference(name: str, stored: Sequence[int], drawn: Sequence[int]) -> str | None:
    for look, (before, now) in enumerate(zip_longest(stored, drawn), start=1):
        if before != now:
            return f"{name}, look {look}: counted {now}, the run has {before}"
    return None


def _sum_difference(name: str, stored: Record, drawn: Record) -> str | None:
    """Compare what was summed beside the votes; machines may round it apart, or a draw into the next bin."""
    before, now = _sums(stored), _sums(drawn)
    for what in {**before, **now}:
        if what not in before or what not in now:
            return f"{name}: only one of the two has the sum of {what}"
        (kept, _), (again, allowed) = before[what], now[what]
        if kept.shape != again.shape:
            return f"{name}: the sum of {what} has {again.size} members, in the run {kept.size}"
        apart = np.abs(kept - again)
        if apart.max() > allowed:
            i = int(apart.argmax())
            return f"{name}, sum of {what}: counted {again.flat[i]:.6g}, the run has {kept.flat[i]:.6g}"
    return None


def _sums(record: Record) -> dict[str, tuple[NDArray[np.float64], float]]:
    """Return the sums beside a record's votes, each in draws, and how far off it may be."""
    tally = record.tallies[Phase.ESTIMATION]
    rounding = SCORE_TOLERANCE * tally.draws
    found: dict[str, tuple[NDArray[np.float64], float]] = {}
    for sums in (tally.soft, tally.confidence):
        if sums is not None:
            found["softmax"] = (sums.scores / SCALE, rounding)
            found["squared softmax"] = (sums.squares / SCALE, rounding)
    if (sure := tally.confidence) is not None:
        found["draws by confidence"] = (sure.draws.astype(np.float64), 1.0 + rounding)
        found["confidence"] = (sure.confidence / SCALE, 1.0 + rounding)
        found["log loss"] = (np.array([sure.log_loss / LOSS_SCALE]), LOGIT_TOLERANCE * tally.draws)
    if record.clean_scores is not None:
        found["softmax of the clean image"] = (np.array(record.clean_scores) / SCALE, LOGIT_TOLERANCE)
    return found


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
