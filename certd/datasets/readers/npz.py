"""Sets in one ``.npz`` file of arrays."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from certd.datasets.dataset import Dataset
from certd.datasets.labels import to_labels
from certd.datasets.pixels import Layout, to_images
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

    from certd.datasets.uri import DatasetUri

CHANNELS = frozenset({1, 3})
ANY_CLASS = int(np.iinfo(np.int64).max)


def open_npz(uri: DatasetUri, path: Path, name: str) -> Dataset:
    """Read ``images`` and, where present, ``labels``; with ``?split=test``, ``test_images``, ``test_labels``.

    Images are uint8 or exact floats, ``[n, height, width]``, or with channels first or last;
    ``?layout=NCHW`` or ``NHWC`` says which where both are possible.

    Raises:
        NotFound: If there is no such file.
        UnreadableInput: If it is damaged, needs unpickling, or does not hold the images.
        InvalidParameter: If the layout is ambiguous, or labels or pixels are none.
    """
    uri.allow("split", "layout")
    prefix = f"{uri.options['split']}_" if "split" in uri.options else ""
    arrays = _arrays(path, f"{prefix}images", f"{prefix}labels")
    images = _images(arrays[0], uri)
    labels = None if arrays[1] is None else to_labels(arrays[1], len(images), ANY_CLASS)
    return Dataset(name, images, labels, np.arange(len(images), dtype=np.uint64))


def _arrays(path: Path, images: str, labels: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if images not in archive:
                present = ", ".join(archive) or "nothing"
                raise UnreadableInput(
                    f"{path.name} holds {present}, but no {images!r}; ?split=test reads 'test_images'."
                )
            return _array(archive, images), _array(archive, labels) if labels in archive else None
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except (
        ValueError,
        OSError,
        EOFError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UnreadableInput(f"{path.name} is no intact .npz file of plain arrays: {error}.") from error


def _array(archive: NpzFile, member: str) -> NDArray[Any]:
    found = archive[member]
    if not isinstance(found, np.ndarray):
        raise UnreadableInput(f"{member!r} is no array; write it with numpy.savez(file, {member}=...).")
    return found


def _images(array: NDArray[Any], uri: DatasetUri) -> NDArray[np.uint8]:
    if array.ndim == 3:
        return to_images(array, (1, array.shape[1], array.shape[2]))
    if array.ndim != 4:
        raise InvalidParameter(f"Images need three or four axes, not {array.ndim}.")
    layout = _layout(array.shape, uri.options.get("layout"))
    channels, height, width = array.shape[1:] if layout == "NCHW" else (array.shape[3], *array.shape[1:3])
    return to_images(array, (channels, height, width), layout)


def _layout(shape: tuple[int, ...], stated: str | None) -> Layout:
    fitting: list[Layout] = [layout for layout in get_args(Layout) if stated in {None, layout}]
    fitting = [layout for layout in fitting if shape[1 if layout == "NCHW" else 3] in CHANNELS]
    if len(fitting) != 1:
        raise InvalidParameter(
            f"Images of shape {shape} with layout {stated or 'unstated'} fit {len(fitting)} layouts; say "
            "?layout=NCHW or ?layout=NHWC, with 1 or 3 channels."
        )
    return fitting[0]
