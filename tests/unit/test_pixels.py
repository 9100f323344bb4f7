"""Arrays become images of the model's shape, or are refused with both shapes; labels likewise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from certd.datasets import to_images, to_labels
from certd.errors import InvalidParameter, OutOfRange, ShapeMismatch

COLOURS = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, bool, np.complex64, object, np.str_])
def test_only_bytes_and_exact_floats_are_pixels(dtype: Any) -> None:
    """Integers of other widths are refused: their scale is anyone's guess; half floats miss the grid."""
    array = np.full((1, 1, 2, 2), 1 / 3).astype(dtype)
    with pytest.raises((InvalidParameter, OutOfRange)):
        to_images(array, (1, 2, 2))


def test_channels_last_is_recognised_by_the_model_s_shape() -> None:
    """Where one order fits, it need not be said; where it is said, it is followed."""
    last = COLOURS.transpose(0, 2, 3, 1)
    for array, layout in ((COLOURS, None), (last, None), (COLOURS, "NCHW"), (last, "NHWC")):
        images = to_images(array, (3, 4, 5), layout)  # type: ignore[arg-type]  # a literal, seen as str
        np.testing.assert_array_equal(images, COLOURS)
        assert images.flags.c_contiguous


def test_grey_images_need_no_channel_axis() -> None:
    """Three axes are image, height and width for a model of one channel."""
    assert to_images(COLOURS[:, 0], (1, 4, 5)).shape == (2, 1, 4, 5)
    with pytest.raises(ShapeMismatch):
        to_images(COLOURS[0], (3, 4, 5))


def test_a_shape_that_fits_both_orders_is_not_guessed() -> None:
    """Three by three colour images are read once the layout is said."""
    cube = np.arange(54, dtype=np.uint8).reshape(2, 3, 3, 3)
    with pytest.raises(InvalidParameter, match="say which"):
        to_images(cube, (3, 3, 3))
    np.testing.assert_array_equal(to_images(cube, (3, 3, 3), "NHWC"), cube.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 4, 5, 4), (4, 5), (3, 4, 5), (1, 2, 3, 4, 5), ()])
def test_another_shape_is_refused_with_both(shape: tuple[int, ...]) -> None:
    """Nothing is resized, cropped or broadcast."""
    with pytest.raises(ShapeMismatch, match="3 x 4 x 5") as refusal:
        to_images(np.zeros(shape, dtype=np.uint8), (3, 4, 5))
    assert " x ".join(map(str, shape)) in str(refusal.value)


def test_a_layout_that_contradicts_the_shape_is_refused() -> None:
    """What is said is not overruled by what would fit."""
    with pytest.raises(ShapeMismatch, match="NHWC images of 4 x 5 x 3"):
        to_images(COLOURS, (3, 4, 5), "NHWC")
    with pytest.raises(InvalidParameter, match="CHWN"):
        to_images(COLOURS, (3, 4, 5), "CHWN")  # type: ignore[arg-type]  # the domain under test


@pytest.mark.parametrize(
    ("pixel", "complaint"),
    [
        (np.nan, "NaN"), (np.inf, "NaN or infinity"), (-0.01, "outside"), (1.01, "outside"), (200.0, "uint8"),
        (0.5, "multiples of 1/255"), (1 / 255 + 2e-6, "multiples of 1/255"),
    ],
)  # fmt: skip
def test_a_pixel_that_is_no_grey_level_is_refused_by_image(pixel: float, complaint: str) -> None:
    """One bad pixel refuses the array, and the refusal counts the images."""
    array = np.zeros((3, 1, 2, 2))
    array[1, 0, 1, 0] = pixel
    with pytest.raises(OutOfRange, match=f"Image 1.*{complaint}") as refusal:
        to_images(array, (1, 2, 2))
    assert refusal.value.details["image"] == 1


def test_the_result_is_the_caller_s_own() -> None:
    """Writing to the images does not write to the array, nor need the array be writable."""
    source = COLOURS.copy()
    source.flags.writeable = False
    images = to_images(source, (3, 4, 5))
    images[:] = 0
    np.testing.assert_array_equal(source, COLOURS)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_become_64_bit_class_indices(dtype: Any) -> None:
    """Any integers that name classes will do."""
    labels = to_labels(np.array([0, 9], dtype=dtype), 2, 10)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 9]


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        (np.array([0, 10]), InvalidParameter), (np.array([0, -1]), InvalidParameter),
        (np.array([0.0, 1.0]), InvalidParameter), (np.array([0]), ShapeMismatch),
        (np.array([[0, 1]]), ShapeMismatch),
        (np.array([0, 1 << 63], dtype=np.uint64), InvalidParameter),
    ],
)  # fmt: skip
def test_labels_that_name_no_class_are_refused(labels: np.ndarray, error: type[Exception]) -> None:
    """There is one label an image, and each is a class of the model."""
    with pytest.raises(error):
        to_labels(labels, 2, 10)
