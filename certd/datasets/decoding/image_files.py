"""Image files: PNG, JPEG and WebP, one still picture of eight bits a channel each."""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from certd.errors import ShapeMismatch, TooLarge, UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from certd.datasets.decoding.limits import DecodingLimits

FORMATS = ("PNG", "JPEG", "WEBP")
GREY_MODES = frozenset({"1", "L", "LA"})
PALETTE_MODES = frozenset({"P", "PA"})
COLOUR_MODES = PALETTE_MODES | {"RGB", "RGBA"}
PNG_BIT_DEPTH_OFFSET = 24
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    OverflowError,
    IndexError,
    KeyError,
    AssertionError,
)
"""What Pillow's readers raise for broken files."""


def decode_images(
    files: Sequence[tuple[str, bytes]], input_shape: tuple[int, int, int], limits: DecodingLimits
) -> NDArray[np.uint8]:
    """Return image files as images of the shape that a model takes; none is resized.

    Args:
        files: Name and content of each, at least one.
        input_shape: Channel, height and width that the model takes.
        limits: Bounds on the files, their number and their pixels.

    Returns:
        uint8[image, channel, height, width], in the order of ``files``.

    Raises:
        UnreadableInput: If a file is damaged or not of an accepted kind; the message names it.
        ShapeMismatch: If an image does not have the model's shape; the message names it.
        TooLarge: If a limit is exceeded.
    """
    limits.require_images(len(files), "the request")
    limits.require_bytes(sum(len(data) for _, data in files), "the request")
    limits.require_bytes(len(files) * math.prod(input_shape), "the decoded request")
    images = np.empty((len(files), *input_shape), dtype=np.uint8)
    for index, (name, data) in enumerate(files):
        image = decode_image(data, name, limits, channels=input_shape[0])
        if image.shape != input_shape:
            raise ShapeMismatch(
                f"{name!r} is {_by(image.shape)} (channel, height, width), but the model takes "
                f"{_by(input_shape)}; certd never resizes, so bring it to this shape first."
            )
        images[index] = image
    return images


def decode_image(
    data: bytes, name: str, limits: DecodingLimits, channels: int | None = None
) -> NDArray[np.uint8]:
    """Return one image file, uint8[channel, height, width]: one channel if grey, three if coloured.

    Pixels are those stored; an orientation noted in the file is not applied.

    Args:
        data: The whole file.
        name: What to call it in a refusal.
        limits: Bounds on its bytes and pixels, the latter checked before any pixel is decoded.
        channels: With 1, a palette that holds only greys counts as grey.

    Raises:
        UnreadableInput: If it is damaged, animated, translucent, of 16 bits or of no accepted format or mode.
        TooLarge: If a limit is exceeded.
    """
    limits.require_bytes(len(data), name)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            limits.require_pixels(image.height, image.width, name)
            _require_still_and_shallow(image, data, name)
            pixels = _pixels(_opaque(image, name))
            return _grey_palette(pixels) if channels == 1 and image.mode in PALETTE_MODES else pixels
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(
            f"{name!r} has too many pixels; the limit is {limits.max_pixels_per_image}.",
            limit="max_pixels_per_image",
            max=limits.max_pixels_per_image,
        ) from error
    except DAMAGE as error:
        raise UnreadableInput(f"{name!r} is no intact PNG, JPEG or WebP file.") from error


def _require_still_and_shallow(image: Image.Image, data: bytes, name: str) -> None:
    if getattr(image, "n_frames", 1) != 1:
        raise UnreadableInput(f"{name!r} holds several frames; send each as a file of its own.")
    # Pillow would drop the low byte of a 16-bit colour PNG without a word.
    if image.format == "PNG" and data[PNG_BIT_DEPTH_OFFSET] == 16:
        raise UnreadableInput(f"{name!r} has 16 bits a channel; convert it to 8, which is what is certified.")
    if image.mode not in GREY_MODES | COLOUR_MODES:
        raise UnreadableInput(f"{name!r} has the mode {image.mode}; convert it to grey or RGB.")


def _opaque(image: Image.Image, name: str) -> Image.Image:
    if not image.has_transparency_data:
        return image
    alpha = image.convert("RGBA").getchannel("A")
    if alpha.getextrema() != (255, 255):
        raise UnreadableInput(f"{name!r} is translucent; flatten it onto a background first.")
    return image.convert("RGBA" if image.mode in COLOUR_MODES else "LA")


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in GREY_MODES:
        return np.array(image.convert("L"))[None]
    return np.array(image.convert("RGB")).transpose(2, 0, 1)


def _grey_palette(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return colours[:1] if (colours == colours[:1]).all() else colours


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
