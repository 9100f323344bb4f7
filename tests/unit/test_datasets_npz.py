"""Arrays on disk become a data set, or are refused with what to do."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.datasets import Dataset, open_dataset
from certd.errors import InvalidParameter, NotFound, OutOfRange, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
LABELS = np.array([1, 0])


def opened(folder: Path, options: str = "", **arrays: np.ndarray) -> Dataset:
    """Save arrays and open them again."""
    np.savez_compressed(folder / "set.npz", **arrays)  # type: ignore[arg-type]  # its own keyword is a bool
    dataset = open_dataset(f"npz:set.npz{options}", folder=folder)
    assert isinstance(dataset, Dataset)
    return dataset


def test_channels_first_last_or_absent_are_told_by_the_shape(tmp_path: Path) -> None:
    """The set holds the same images in each layout, and ids are positions."""
    for array in (PIXELS, PIXELS.transpose(0, 2, 3, 1), PIXELS / 255):
        dataset = opened(tmp_path, images=array, labels=LABELS.astype(np.uint8))
        np.testing.assert_array_equal(dataset.images, PIXELS)
        assert dataset.labels is not None
        assert dataset.labels.tolist() == [1, 0]
        assert dataset.image_ids.tolist() == [0, 1]
    grey = opened(tmp_path, images=PIXELS[:, 0])
    assert (grey.input_shape, grey.labels) == ((1, 4, 5), None)


def test_a_split_has_a_name(tmp_path: Path) -> None:
    """``?split=test`` reads the members that start with it, and its name stays with the certificates."""
    dataset = opened(tmp_path, "?split=test", test_images=PIXELS, test_labels=LABELS, train_images=PIXELS[:1])
    assert (len(dataset), dataset.name) == (2, "npz:set.npz?split=test")


def test_an_ambiguous_layout_must_be_said(tmp_path: Path) -> None:
    """Images of three rows of three channels could be either."""
    square = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    with pytest.raises(InvalidParameter, match=r"\?layout=NCHW or \?layout=NHWC"):
        opened(tmp_path, images=square)
    assert opened(tmp_path, "?layout=NHWC", images=square).input_shape == (3, 3, 4)
    assert opened(tmp_path, "?layout=NCHW", images=square).input_shape == (3, 4, 3)


@pytest.mark.parametrize(
    ("arrays", "options", "error"),
    [
        ({"pixels": PIXELS}, "", UnreadableInput),
        ({"images": PIXELS}, "?split=test", UnreadableInput),
        ({"images": PIXELS}, "?layout=CHWN", InvalidParameter),
        ({"images": PIXELS}, "?layuot=NCHW", InvalidParameter),
        ({"images": PIXELS[:, :2]}, "", InvalidParameter),
        ({"images": PIXELS[0, 0]}, "", InvalidParameter),
        ({"images": PIXELS * 1.0}, "", OutOfRange),
        ({"images": PIXELS, "labels": LABELS * 1.0}, "", InvalidParameter),
        ({"images": PIXELS, "labels": -LABELS}, "", InvalidParameter),
        ({"images": PIXELS, "labels": np.array([{}, {}])}, "", UnreadableInput),
    ],
)
def test_arrays_that_are_no_images_and_labels_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], options: str, error: type[Exception]
) -> None:
    """Other members, shapes, scales and types; objects are never unpickled."""
    with pytest.raises(error):
        opened(tmp_path, options, **arrays)


def test_a_missing_or_damaged_file_is_told_by_its_name(tmp_path: Path) -> None:
    """Every failure of the reader is one error."""
    with pytest.raises(NotFound, match=r"set\.npz"):
        open_dataset("npz:set.npz", folder=tmp_path)
    opened(tmp_path, images=PIXELS)
    data = (tmp_path / "set.npz").read_bytes()
    for damaged in (b"", b"text", data[:-30], data[:60] + bytes(40) + data[100:]):
        (tmp_path / "set.npz").write_bytes(damaged)
        with pytest.raises(UnreadableInput, match=r"set\.npz"):
            open_dataset("npz:set.npz", folder=tmp_path)
    np.save(tmp_path / "set.npz.npy", PIXELS)
    (tmp_path / "set.npz.npy").rename(tmp_path / "set.npz")
    with pytest.raises(UnreadableInput, match=r"set\.npz"):
        open_dataset("npz:set.npz", folder=tmp_path)


@pytest.mark.parametrize("member", ["images", "labels"])
def test_a_member_that_is_no_array_is_refused(member: str, tmp_path: Path) -> None:
    """An archive may hold any file under a name without ``.npy``; it is bytes then."""
    np.savez(tmp_path / "set.npz", **{"other" if member == "images" else "images": PIXELS})  # type: ignore[arg-type]  # its own keyword is a bool
    with zipfile.ZipFile(tmp_path / "set.npz", "a") as archive:
        archive.writestr(member, b"no array")
    with pytest.raises(UnreadableInput, match=member):
        open_dataset("npz:set.npz", folder=tmp_path)
