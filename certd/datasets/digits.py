"""The handwritten digits of scikit-learn: small, offline, split once and for all."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from certd.datasets.dataset import Dataset
from certd.errors import Unavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD_OUT_EVERY = 5
GREY_LEVELS = 16


def held_out_digits() -> Dataset:
    """Return the 360 test images: every fifth of the 1797, uint8[360, 1, 8, 8].

    Raises:
        Unavailable: If scikit-learn is not installed.
    """
    return _digits("digits", held_out=True)


def training_digits() -> Dataset:
    """Return the 1437 images that are not held out, uint8[1437, 1, 8, 8].

    Raises:
        Unavailable: If scikit-learn is not installed.
    """
    return _digits("digits-train", held_out=False)


@lru_cache
def load_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return grey levels and labels as scikit-learn keeps them; unpacked once, which takes milliseconds."""
    try:
        from sklearn import datasets  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise Unavailable("The digits need scikit-learn: pip install 'certd[datasets]'.") from error
    pixels, labels = datasets.load_digits(return_X_y=True)
    pixels.flags.writeable = labels.flags.writeable = False
    return pixels, labels


def _digits(name: str, *, held_out: bool) -> Dataset:
    pixels, labels = load_digits()
    chosen = (np.arange(len(labels)) % HELD_OUT_EVERY == 0) == held_out
    grey = np.rint(pixels[chosen] * (255 / GREY_LEVELS)).astype(np.uint8)
    return Dataset(
        name=name,
        images=grey.reshape(-1, 1, 8, 8),
        labels=labels[chosen].astype(np.int64),
        image_ids=np.arange(len(grey), dtype=np.uint64),
        class_names=tuple(str(digit) for digit in range(10)),
    )
