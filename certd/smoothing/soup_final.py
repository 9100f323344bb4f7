"""The final certificate of a chosen soup: other images than those that chose it, and fresh noise."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from certd.errors import InvalidParameter
from certd.smoothing.certifier import Certifier
from certd.smoothing.request import SEED_BITS, parse_request
from certd.smoothing.run import Run
from certd.smoothing.settling import settle
from certd.smoothing.soup_sweep import require_no_calibration

if TYPE_CHECKING:
    from certd.datasets import Dataset
    from certd.models import BaseClassifier
    from certd.smoothing.soup_sweep import SoupSweep, SweepFolder


def certify_chosen(
    folder: SweepFolder, classifier: BaseClassifier, images: Dataset, *, force: bool = False, **asked: Any
) -> Run:
    """Certify a soup that a sweep chose, so that the choice does not flatter the result.

    Each certificate holds for its image at its own alpha only if neither the noise nor the image chose the
    classifier: noise that was looked at in the sweep is no fresh sample, and accuracy on images that chose
    the soup is the accuracy of a winner. So the seed of the sweep is always refused, and its images are
    unless ``force`` is given; the run then carries a mark.

    Args:
        folder: The finished sweep.
        classifier: The soup.
        images: Labelled images, known by their pixels as well as by their ids.
        force: Certify images of the sweep all the same, marked.
        **asked: Options of the certification; a ``seed`` is drawn when absent.

    Raises:
        InvalidParameter: If the seed is the sweep's, or images are.
    """
    sweep = folder.question()
    seed = asked.pop("seed", None)
    if seed == sweep.seed:
        raise InvalidParameter("This seed drew the noise that chose the soup; leave it out, or give another.")
    require_no_calibration(sweep, images)
    shared = _shared(folder, sweep, images)
    if shared and not force:
        raise InvalidParameter(
            f"{shared} of these images chose the soup, and would flatter it (winner's curse); choose others, "
            "or force it and the run is marked."
        )
    request = parse_request({**asked, "model": classifier.name, "seed": _fresh(sweep, seed)})
    certification = request.resolve(classifier.reference, labelled=images.labels is not None)
    certifier = Certifier(classifier, settle(classifier, certification, len(images)))
    made = certifier.certify(images.images, images.image_ids, images.labels)
    manifest = certifier.manifest(images.name, images.image_ids)
    marks = (f"{shared} of the images chose this soup: its accuracy is a winner's",) if shared else ()
    return Run(manifest.model_copy(update={"marks": marks}), tuple(made))


def _fresh(sweep: SoupSweep, seed: int | None) -> int:
    while seed is None or seed == sweep.seed:
        seed = secrets.randbits(SEED_BITS)
    return seed


def _shared(folder: SweepFolder, sweep: SoupSweep, images: Dataset) -> int:
    """Return how many images the sweep saw: by their ids in its data set, or by their pixels anywhere."""
    # Any finished member saw all images; the first may be a soup that was refused.
    finished = (folder.read(member, sweep.sigmas[0]) for member in sweep.members)
    run = next((found for found in finished if found is not None), None)
    pixels = set() if run is None else {each.record.image_sha256 for each in run.certificates}
    ids = set(sweep.image_ids) if images.name == sweep.dataset else set()
    return sum(
        int(image_id) in ids or hashlib.sha256(image.tobytes()).hexdigest() in pixels
        for image_id, image in zip(images.image_ids, images.images, strict=True)
    )
