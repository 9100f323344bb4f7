"""Ask a classifier whether a data set's labels mean what its outputs mean, before draws are spent on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from certd.datasets.label_alignment import misaligned_labels
from certd.models.doubts import predict

if TYPE_CHECKING:
    from certd.datasets import Dataset, LazyDataset
    from certd.models.base_classifier import BaseClassifier

MOST_IMAGES, FEWEST_IMAGES = 200, 20


def label_warning(classifier: BaseClassifier, dataset: Dataset | LazyDataset) -> str | None:
    """Return one sentence if the labels look shifted or permuted; None where they fit or are too few to tell.

    Looks at no more than ``MOST_IMAGES`` images, evenly spread, without noise.
    """
    if dataset.labels is None or len(dataset) < FEWEST_IMAGES:
        return None
    places = np.unique(np.linspace(0, len(dataset) - 1, MOST_IMAGES).astype(np.intp))
    if dataset.input_shape != tuple(classifier.input_shape):
        return None
    clean = predict(classifier.module, torch.from_numpy(dataset.images[places]).float() / 255)
    return misaligned_labels(clean, dataset.labels[places], classifier.num_classes)
