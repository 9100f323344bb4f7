"""Certify in this process, from Python: the same options, plans and counts as the service's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from certd.datasets import Dataset, LazyDataset, to_images, to_labels
from certd.result import Result
from certd.smoothing.request import parse_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from certd.models import BaseClassifier

PART_IMAGES = 256


def certify(  # noqa: PLR0913 - what, with which noise, where
    model: str | BaseClassifier,
    images: Dataset | LazyDataset | NDArray[Any],
    labels: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    sigma: float,
    device: str = "cpu",
    on_draws: Callable[[int], None] | None = None,
    **options: Any,
) -> Result:
    """Certify images and return the run: every count, and what the counts prove.

    Args:
        model: A registered name, or a base classifier such as ``BaseClassifier.from_module`` makes.
        images: A data set, or an array ``[image, channel, height, width]``: uint8, or floats in [0, 1] that
            lie on the 8-bit grid.
        labels: True classes, one an image; a data set brings its own.
        sigma: Noise level in input units, pixels in [0, 1].
        device: A torch device name.
        on_draws: Called with the number of draws just counted; may raise to stop.
        **options: ``plan``, ``n``, ``n0``, ``alpha``, ``radii``, ``noise``, ``norm``, ``seed``, ``dtype`` and
            the others, under the names and with the defaults of ``POST /v1/jobs``.

    Returns:
        The run, with its reports at hand.

    Raises:
        InvalidRequest: If options, images or labels are not such as can be certified.
    """
    from certd.models import load_model  # noqa: PLC0415 - torch takes a second to import
    from certd.smoothing.certifier import Certifier  # noqa: PLC0415
    from certd.smoothing.settling import settle  # noqa: PLC0415

    classifier = load_model(model, device) if isinstance(model, str) else model
    request = parse_request({"model": classifier.name, "sigma": sigma, **options})
    dataset = _as_dataset(images, labels, classifier)
    certification = request.resolve(
        classifier.reference, labelled=dataset.labels is not None, mixing=classifier.mixing
    )
    certification = settle(classifier, certification, len(dataset), device)
    certifier = Certifier(classifier, certification, device)
    certificates = [
        certificate
        for part in _parts(dataset)
        for certificate in certifier.certify(part.images, part.image_ids, part.labels, on_draws)
    ]
    return Result(certifier.manifest(dataset.name or None, dataset.image_ids), tuple(certificates))


def _parts(dataset: Dataset | LazyDataset) -> Iterator[Dataset]:
    """Yield a set in memory whole, which fills batches best, and any other part by part."""
    if isinstance(dataset, Dataset):
        yield dataset
    else:
        yield from dataset.parts(PART_IMAGES)


def _as_dataset(
    images: Dataset | LazyDataset | NDArray[Any],
    labels: Sequence[int] | NDArray[np.int64] | None,
    classifier: BaseClassifier,
) -> Dataset | LazyDataset:
    """Return images as a data set whose ids are their positions."""
    if isinstance(images, Dataset | LazyDataset):
        return images
    pixels = to_images(images, classifier.input_shape)
    known = None if labels is None else to_labels(np.asarray(labels), len(pixels), classifier.num_classes)
    return Dataset("", pixels, known, np.arange(len(pixels), dtype=np.uint64))
