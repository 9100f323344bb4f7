"""Arrays of unknown layout and scale become uint8 images, or are refused; nothing is resized or rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from certd.errors import InvalidParameter, OutOfRange, ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

Layout = Literal["NCHW", "NHWC"]
GRID_TOLERANCE = 1e-6
"""float32 stores k/255 to 3e-8; half the distance between two grey levels is 2e-3."""


def to_images(
    array: NDArray[Any], input_shape: tuple[int, int, int], layout: Layout | None = None
) -> NDArray[np.uint8]:
    """Return ``array`` as images of the shape that a model takes.

    Args:
        array: uint8, or floats in ``[0, 1]`` on the grid of multiples of 1/255; four axes, or three
            (image, height, width) for a model of one channel.
        input_shape: Channel, height and width that the model takes.
        layout: Order of the axes; None to read it off the shape, which must fit one order only.

    Returns:
        uint8[image, channel, height, width], contiguous and owned by the caller.

    Raises:
        ShapeMismatch: If the images do not have the model's shape.
        OutOfRange: If a pixel is NaN, outside ``[0, 1]`` or between two grey levels.
        InvalidParameter: If the type is neither uint8 nor float, the layout is unknown or both fit.
    """
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise InvalidParameter(f"Pixels must be uint8, or floats in [0, 1]; these are {array.dtype}.")
    channels_first = _channels_first(array, input_shape, layout)
    images = np.empty(channels_first.shape, dtype=np.uint8)
    for index, image in enumerate(channels_first):
        images[index] = image if image.dtype == np.uint8 else _grey_levels(image, index)
    return images


def _channels_first(
    array: NDArray[Any], input_shape: tuple[int, int, int], layout: Layout | None
) -> NDArray[Any]:
    channels, height, width = input_shape
    if array.ndim == 3 and channels == 1:
        array, layout = array[:, None], "NCHW"
    if layout is None:
        layout = _only_layout(array.shape, input_shape)
    if layout not in {"NCHW", "NHWC"}:
        raise InvalidParameter(f"layout must be NCHW or NHWC, not {layout!r}.", pointer="/layout")
    expected = (channels, height, width) if layout == "NCHW" else (height, width, channels)
    if array.ndim != 4 or array.shape[1:] != expected:
        raise ShapeMismatch(
            f"The model takes {layout} images of {_by(expected)}, but the array is {_by(array.shape)}; "
            "certd never resizes, so bring the images to this shape first."
        )
    return array if layout == "NCHW" else array.transpose(0, 3, 1, 2)


def _only_layout(shape: tuple[int, ...], input_shape: tuple[int, int, int]) -> Layout:
    """Tell the order of the axes from the shape; channels first is the one to name when neither fits."""
    channels, height, width = input_shape
    if shape[1:] != (height, width, channels):
        return "NCHW"
    if shape[1:] == input_shape and channels > 1:
        raise InvalidParameter(
            f"{_by(shape)} can be read as NCHW and as NHWC; say which one it is.", pointer="/layout"
        )
    return "NHWC"


def _grey_levels(image: NDArray[Any], index: int) -> NDArray[np.uint8]:
    pixels = image.astype(np.float64)
    if not np.isfinite(pixels).all():
        raise OutOfRange(f"Image {index} holds NaN or infinity.", image=index)
    if pixels.min() < -GRID_TOLERANCE or pixels.max() > 1 + GRID_TOLERANCE:
        raise OutOfRange(
            f"Image {index} runs from {pixels.min():g} to {pixels.max():g}, outside [0, 1]; "
            "undo the normalisation, and send 0 to 255 as uint8.",
            image=index,
        )
    levels = np.rint(pixels * 255)
    if np.abs(pixels - levels / 255).max() > GRID_TOLERANCE:
        raise OutOfRange(
            f"Image {index} has pixels between the multiples of 1/255, and quantised noise is sound only on "
            "them; send np.rint(255 * images).astype(np.uint8), which then is the image that is certified.",
            image=index,
        )
    return levels.astype(np.uint8)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
