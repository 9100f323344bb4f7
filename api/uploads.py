"""Makes images of uploaded files: image files, or one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.datasets import to_images, to_labels
from certd.datasets.decoding import DecodingLimits, decode_images, read_npy, read_npz
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from certd.datasets import Layout
    from certd.models import Specification

NPY, ZIP = b"\x93NUMPY", b"PK"


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it came, under the name that its sender gave it; the name is only ever printed."""

    name: str
    content: bytes


def decode_uploads(
    files: Sequence[UploadedFile], model: Specification, limits: DecodingLimits, layout: Layout | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Return images as ``model`` takes them, and the labels where an archive brought some.

    Raises:
        InvalidRequest: If a file is broken, of another shape, or out of range; nothing is repaired.
        TooLarge: If a limit is exceeded.
    """
    arrays = [file for file in files if file.content.startswith((NPY, ZIP))]
    if not arrays:
        if layout is not None:
            raise InvalidParameter("`layout` is for arrays; image files carry their own.", pointer="/layout")
        named = [(file.name, file.content) for file in files]
        return decode_images(named, model.input_shape, limits), None
    if len(files) > 1:
        raise InvalidParameter(
            f"Send one array or image files, not both: {arrays[0].name!r} is an array among "
            f"{len(files)} files.",
            pointer="/images",
        )
    return _decode_array(arrays[0], model, limits, layout)


def _decode_array(
    file: UploadedFile, model: Specification, limits: DecodingLimits, layout: Layout | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    labels = None
    if file.content.startswith(NPY):
        pixels = read_npy(file.content, file.name, limits)
    else:
        archive = read_npz(file.content, file.name, limits)
        pixels, labels = archive.images, archive.labels
    limits.require_images(len(pixels) if pixels.ndim else 0, file.name)
    images = to_images(pixels, model.input_shape, layout)
    return images, None if labels is None else to_labels(labels, len(images), model.num_classes)
