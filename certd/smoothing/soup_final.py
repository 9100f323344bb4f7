"""The final certificate of a chosen soup: other images than those that chose it, and fresh noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certd.smoothing.certifier import Certifier
from certd.smoothing.request import parse_request
from certd.smoothing.run import Run
from certd.smoothing.settling import settle
from certd.smoothing.soup_choice import choice_marks, fresh_seed

if TYPE_CHECKING:
    from certd.datasets import Dataset
    from certd.models import BaseClassifier
    from certd.smoothing.soup_sweep import SweepFolder


def certify_chosen(
    folder: SweepFolder, classifier: BaseClassifier, images: Dataset, *, force: bool = False, **asked: Any
) -> Run:
    """Certify a soup that a sweep chose, so that the choice does not flatter the result.

    The seed of the sweep is always refused, and its images are unless ``force`` is given; the run then
    carries a mark. See :mod:`certd.smoothing.soup_choice` for why.

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
    request = parse_request({**asked, "model": classifier.name})
    request = request.model_copy(update={"seed": fresh_seed(sweep, request.seed)})
    marks = choice_marks(sweep, _seen(folder), images, force=force)
    certification = request.resolve(classifier.reference, labelled=images.labels is not None)
    certifier = Certifier(classifier, settle(classifier, certification, len(images)))
    made = certifier.certify(images.images, images.image_ids, images.labels)
    manifest = certifier.manifest(images.name, images.image_ids)
    return Run(manifest.model_copy(update={"marks": marks}), tuple(made))


def _seen(folder: SweepFolder) -> set[str]:
    """Return the digests of the images that the sweep saw."""
    sweep = folder.question()
    # Any finished member saw all images; the first may be a soup that was refused.
    finished = (folder.read(member, sweep.sigmas[0]) for member in sweep.members)
    run = next((found for found in finished if found is not None), None)
    return set() if run is None else {each.record.image_sha256 for each in run.certificates}
