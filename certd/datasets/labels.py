"""Arrays of unknown type become class labels, or are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from certd.errors import InvalidParameter, ShapeMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def to_labels(array: NDArray[Any], num_images: int, num_classes: int) -> NDArray[np.int64]:
    """Return ``array`` as one class index an image.

    Args:
        array: Integers in ``[0, num_classes)``, one an image.
        num_images: Images that the labels belong to.
        num_classes: Classes of the model.

    Returns:
        int64[image].

    Raises:
        ShapeMismatch: If there is not one label an image.
        InvalidParameter: If a label is no integer or no class of the model.
    """
    if not np.issubdtype(array.dtype, np.integer):
        raise InvalidParameter(f"Labels must be integers; these are {array.dtype}.", pointer="/labels")
    if array.shape != (num_images,):
        raise ShapeMismatch(
            f"{num_images} images need {num_images} labels, not an array of shape {list(array.shape)}."
        )
    outside = np.flatnonzero((array < 0) | (array >= num_classes))
    if outside.size:
        raise InvalidParameter(
            f"The label of image {outside[0]} is {array[outside[0]]}, outside [0, {num_classes}).",
            pointer="/labels",
        )
    return array.astype(np.int64)


def renumbered(labels: NDArray[np.int64] | None, class_of: Mapping[int, int]) -> NDArray[np.int64]:
    """Return each label as the class that ``class_of`` gives it.

    Args:
        labels: int64[image].
        class_of: The classifier's class of each label that occurs, at least 0.

    Raises:
        InvalidParameter: If there are no labels, one has no class, or a class is negative.
    """
    if labels is None:
        raise InvalidParameter("A label map needs a data set with labels.")
    missing = sorted(set(np.unique(labels).tolist()) - class_of.keys())
    if missing:
        raise InvalidParameter(f"The label map has no class for label {missing[0]}; give one for each label.")
    if min(class_of.values(), default=0) < 0:
        raise InvalidParameter("The label map gives a class below 0; classes count from 0.")
    return np.array([class_of[int(label)] for label in labels], np.int64)
