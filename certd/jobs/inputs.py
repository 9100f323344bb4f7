"""A job's inputs: uploaded pixels, or the ids of images inside a registered data set."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from certd.datasets.identity import identities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.datasets import Dataset, LazyDataset


@dataclass(frozen=True, slots=True)
class Inputs:
    """What ``inputs.npz`` holds.

    Attributes:
        image_ids: Stable ids, uint64[image]: the position in the upload or in the data set.
        images: Uploaded pixels, uint8[image, channel, height, width]; None for a data set.
        labels: True classes, int64[image]; None where unknown.
        seen: Of a data set, what identified each image and its label at submission, uint64[image]; None for
            uploads, and in jobs of earlier versions.
    """

    image_ids: NDArray[np.uint64]
    images: NDArray[np.uint8] | None = None
    labels: NDArray[np.int64] | None = None
    seen: NDArray[np.uint64] | None = None

    @classmethod
    def of_dataset(cls, chosen: Dataset | LazyDataset) -> Inputs:
        """Take images of a registered data set, which stay where they are."""
        return cls(chosen.image_ids, None, chosen.labels, identities(chosen))

    def __len__(self) -> int:
        return len(self.image_ids)

    def sha256(self) -> str:
        """Return one digest of ids, pixels and labels, in order."""
        digest = hashlib.sha256(self.image_ids.tobytes())
        for array in (self.images, self.labels):
            digest.update(b"-" if array is None else repr(array.shape).encode() + array.tobytes())
        return digest.hexdigest()


def write_inputs(stream: BinaryIO, inputs: Inputs) -> None:
    """Write ``inputs`` as an uncompressed ``.npz``."""
    arrays: dict[str, Any] = {"image_ids": inputs.image_ids}
    if inputs.images is not None:
        arrays["images"] = inputs.images
    if inputs.labels is not None:
        arrays["labels"] = inputs.labels
    if inputs.seen is not None:
        arrays["seen"] = inputs.seen
    np.savez(stream, **arrays)


def read_inputs(stream: BinaryIO) -> Inputs:
    """Read what :func:`write_inputs` wrote."""
    with np.load(stream, allow_pickle=False) as archive:
        return Inputs(
            image_ids=archive["image_ids"],
            images=archive.get("images", None),
            labels=archive.get("labels", None),
            seen=archive.get("seen", None),
        )


def read_image(stream: BinaryIO, image_id: int) -> NDArray[np.uint8] | None:
    """Read one image of what :func:`write_inputs` wrote, without holding the others.

    Returns:
        uint8[channel, height, width]; None if there is no image of that id.
    """
    with np.load(stream, allow_pickle=False) as archive:
        places = np.flatnonzero(archive["image_ids"] == np.uint64(image_id))
    if not len(places):
        return None
    with zipfile.ZipFile(stream) as archive, archive.open("images.npy") as member:
        np.lib.format.read_magic(member)
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        size = math.prod(shape[1:]) * dtype.itemsize
        member.seek(size * int(places[0]), io.SEEK_CUR)
        return np.frombuffer(member.read(size), dtype).reshape(shape[1:])
