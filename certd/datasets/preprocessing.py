"""What is done to a picture before it is an image of the set; nothing unless it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.datasets.encoded_images import MAX_PIXELS
from certd.errors import InvalidParameter, ShapeMismatch, TooLarge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.datasets.uri import DatasetUri

OPTIONS = ("channels", "resize", "crop")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Steps in the order in which they are taken. The certificate is about the image that results.

    Attributes:
        channels: 3 repeats a grey picture's channel thrice; None leaves grey pictures grey.
        resize: Length given to the shorter side, bilinear with antialiasing as Pillow does it.
        crop: Side of the square cut from the middle.

    References:
        ``resize=256&crop=224`` is the ImageNet protocol of Cohen, Rosenfeld and Kolter (2019),
        arXiv:1902.02918, ``datasets.py``.
    """

    channels: int | None = None
    resize: int | None = None
    crop: int | None = None

    @classmethod
    def of(cls, uri: DatasetUri) -> Preprocessing:
        """Read the steps from a set's options.

        Raises:
            InvalidParameter: If a step is impossible.
        """
        channels = uri.integer("channels")
        if channels not in {None, 1, 3}:
            raise InvalidParameter(f"channels must be 1 or 3, not {channels}.")
        return cls(channels, uri.integer("resize"), uri.integer("crop"))

    def apply(self, image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
        """Return uint8[channel, height, width].

        Raises:
            ShapeMismatch: If a coloured picture should be grey, or is smaller than the crop.
            TooLarge: If resizing would make too many pixels of it.
        """
        if self.channels == 3 and len(image) == 1:
            image = np.repeat(image, 3, axis=0)
        if self.channels == 1 and len(image) == 3:
            raise ShapeMismatch(f"{name!r} is coloured; certd turns no colours into greys.")
        if self.resize is not None:
            image = _resized(image, self.resize, name)
        return image if self.crop is None else _cropped(image, self.crop, name)


def _resized(image: NDArray[np.uint8], side: int, name: str) -> NDArray[np.uint8]:
    from PIL import Image  # noqa: PLC0415 - an extra

    _, height, width = image.shape
    # The longer side is truncated, as in torchvision, so that pixels agree with the published figures.
    size = (side * width // min(height, width), side * height // min(height, width))
    if size[0] * size[1] > MAX_PIXELS:
        raise TooLarge(
            f"{name!r} would have {size[1]} x {size[0]} pixels after ?resize={side}, more than {MAX_PIXELS}; "
            "take the picture out, or resize to less."
        )
    planes = [np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR)) for plane in image]
    return np.stack(planes)


def _cropped(image: NDArray[np.uint8], side: int, name: str) -> NDArray[np.uint8]:
    _, height, width = image.shape
    if height < side or width < side:
        raise ShapeMismatch(f"{name!r} is {height} x {width}, too small for a crop of {side} x {side}.")
    top, left = round((height - side) / 2), round((width - side) / 2)
    return image[:, top : top + side, left : left + side]
