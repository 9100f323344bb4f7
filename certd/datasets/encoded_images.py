"""Pictures in PNG, JPEG or WebP, decoded when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from certd.datasets.extras import import_extra
from certd.errors import ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.datasets.preprocessing import Preprocessing

MAX_BYTES, MAX_PIXELS = 1 << 30, 1 << 27
"""Wider than for uploads: these files are the operator's own."""
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


class FileSource(Protocol):
    """Files in a fixed order."""

    def __len__(self) -> int: ...

    def read(self, position: int) -> tuple[str, bytes]:
        """Return a file's name, for refusals, and its content."""

    def identity(self, position: int) -> str:
        """Return what tells a file from another that may take its place, without reading it."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImages:
    """Images of one shape in a source of files; satisfies ``ImageSource``.

    Attributes:
        files: Where the bytes come from.
        preprocessing: What is done to each picture.
        input_shape: Channel, height and width that every image must then have.
    """

    files: FileSource
    preprocessing: Preprocessing
    input_shape: tuple[int, int, int]

    @classmethod
    def of(cls, files: FileSource, preprocessing: Preprocessing) -> EncodedImages:
        """Take the first picture's shape for that of all; at least one is needed."""
        channels, height, width = _decode(files, 0, preprocessing).shape
        return cls(files, preprocessing, (channels, height, width))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return image, channel, height and width."""
        return (len(self.files), *self.input_shape)

    def __getitem__(self, positions: slice | NDArray[np.intp]) -> NDArray[np.uint8]:
        chosen = np.arange(len(self.files))[positions]
        images = np.empty((len(chosen), *self.input_shape), dtype=np.uint8)
        for row, position in enumerate(chosen):
            images[row] = self._image(int(position))
        return images

    def identity(self, position: int) -> str:
        """Return what the source says of the file, and what is done to it."""
        return f"{self.files.identity(position)} {self.preprocessing}"

    def _image(self, position: int) -> NDArray[np.uint8]:
        image = _decode(self.files, position, self.preprocessing)
        if image.shape != self.input_shape:
            name, _ = self.files.read(position)
            raise ShapeMismatch(
                f"{name!r} is {image.shape} (channel, height, width), unlike the first picture's "
                f"{self.input_shape}. Say how to bring them to one shape: ?channels=3 for grey pictures "
                "among coloured ones, ?resize=256&crop=224 for sizes."
            )
        return image


def _decode(files: FileSource, position: int, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    import_extra("PIL", "datasets")
    from certd.datasets.decoding import DecodingLimits, decode_image  # noqa: PLC0415 - needs Pillow

    limits = DecodingLimits(max_bytes=MAX_BYTES, max_pixels_per_image=MAX_PIXELS)
    name, data = files.read(position)
    return preprocessing.apply(decode_image(data, name, limits), name)
