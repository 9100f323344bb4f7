"""What keeps the choice of a soup honest: other images than those that chose it, and fresh noise.

Each certificate holds for its image at its own alpha only if neither the noise nor the image chose the
classifier: noise that was looked at in the sweep is no fresh sample, and accuracy on images that chose the
soup is the accuracy of a winner.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from certd.errors import InvalidParameter
from certd.smoothing.request import SEED_BITS

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from certd.datasets import Dataset, LazyDataset
    from certd.smoothing.soup_question import SoupSweep


def fresh_seed(sweep: SoupSweep, seed: int | None) -> int:
    """Return a seed that is not the sweep's: the one given, or one drawn.

    Raises:
        InvalidParameter: If the one given is the sweep's.
    """
    if seed == sweep.seed:
        raise InvalidParameter(
            "This seed drew the noise that chose the soup; leave it out, or give another.", pointer="/seed"
        )
    while seed is None or seed == sweep.seed:
        seed = secrets.randbits(SEED_BITS)
    return seed


def choice_marks(
    sweep: SoupSweep, seen: AbstractSet[str], images: Dataset | LazyDataset, *, force: bool
) -> tuple[str, ...]:
    """Refuse images that chose the soup, or return what the run says of them where that is forced.

    Args:
        sweep: What chose the soup.
        seen: Digests of the pixels that it saw, whatever its images were called.
        images: To be certified.
        force: Certify them all the same, marked.

    Raises:
        InvalidParameter: If some chose the soup and nothing is forced, or some were calibrated on.
    """
    require_no_calibration(sweep, images)
    shared = _shared(sweep, seen, images)
    if shared and not force:
        raise InvalidParameter(
            f"{shared} of these images chose the soup, and would flatter it (winner's curse); choose others, "
            "or force it and the run is marked."
        )
    return (f"{shared} of the images chose this soup: its accuracy is a winner's",) if shared else ()


def require_no_calibration(sweep: SoupSweep, images: Dataset | LazyDataset) -> None:
    """Refuse to certify images on which statistics were estimated: the network was fitted to them.

    Raises:
        InvalidParameter: If one of them is among ``images``.
    """
    told = sweep.calibration
    if told is None or told["dataset"] != images.name:
        return
    shared = set(told["image_ids"]) & {int(each) for each in images.image_ids}
    if shared:
        raise InvalidParameter(
            f"{len(shared)} images were used for calibration, such as {min(shared)}; certify others."
        )


def _shared(sweep: SoupSweep, seen: AbstractSet[str], images: Dataset | LazyDataset) -> int:
    """Return how many images the sweep saw: by their ids in its data set, or by their pixels anywhere."""
    ids = set(sweep.image_ids) if images.name == sweep.dataset else set()
    return sum(
        int(image_id) in ids or hashlib.sha256(images.images[place : place + 1].tobytes()).hexdigest() in seen
        for place, image_id in enumerate(images.image_ids)
    )
