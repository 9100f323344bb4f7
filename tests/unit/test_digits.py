"""The built-in set, and selections of any set."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest

from certd.datasets import Dataset, dataset_names, load_dataset
from certd.datasets.digits import load_digits
from certd.errors import InvalidParameter, NotFound, Unavailable


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Return the held-out digits."""
    return load_dataset("digits")


def test_the_held_out_digits_never_change(digits: Dataset) -> None:
    """Pixels and labels have the digest they had when the first certificate was issued."""
    assert digits.labels is not None
    digest = hashlib.sha256(digits.images.tobytes() + digits.labels.tobytes()).hexdigest()
    assert digest == "daba1c740297513cb8746e43d190835b317713a7e83a78335c99668cdc3f8cb0"


def test_the_split_is_a_partition_of_all_1797_digits(digits: Dataset) -> None:
    """Every fifth image is held out and every other one is for training."""
    training = load_dataset("digits-train")
    assert (len(digits), len(training)) == (360, 1437)
    assert digits.input_shape == training.input_shape == (1, 8, 8)


def test_grey_levels_are_sixteenths_rounded_to_bytes(digits: Dataset) -> None:
    """The 17 levels of the source become the nearest of 256."""
    assert set(np.unique(digits.images)) == {round(level * 255 / 16) for level in range(17)}


def test_an_unknown_set_is_answered_with_those_that_exist() -> None:
    """The refusal names every set."""
    with pytest.raises(NotFound, match=r"'cifar'.*digits, digits-train"):
        load_dataset("cifar")
    assert dataset_names() == ("digits", "digits-train")


def test_without_scikit_learn_the_refusal_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is told as a command that installs it."""
    load_digits.cache_clear()
    monkeypatch.delattr("sklearn.datasets", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(Unavailable, match=r"pip install 'certd\[datasets\]'"):
        load_dataset("digits")


def test_selection_follows_cohen_and_then_the_limit(digits: Dataset) -> None:
    """Every skip-th image from start to stop, then the first ones of those."""
    chosen = digits.select(skip=20, start=10, stop=100, limit=3)
    assert chosen.image_ids.tolist() == [10, 30, 50]


def test_an_image_keeps_its_id_through_selections(digits: Dataset) -> None:
    """An id always finds the same pixels and label in the whole set."""
    twice = digits.select(skip=7).select(indices=[5, 0, 3])
    assert digits.labels is not None
    assert twice.labels is not None
    assert twice.image_ids.tolist() == [35, 0, 21]
    np.testing.assert_array_equal(twice.images, digits.images[[35, 0, 21]])
    np.testing.assert_array_equal(twice.labels, digits.labels[[35, 0, 21]])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"skip": 0}, "skip must be at least 1"),
        ({"start": 360}, "start must lie in"),
        ({"start": -1}, "start must lie in"),
        ({"start": 5, "stop": 5}, "stop must lie in"),
        ({"stop": 361}, "stop must lie in"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"indices": []}, "indices is empty"),
        ({"indices": [360]}, "Index 360"),
        ({"indices": [-1]}, "Index -1"),
        ({"indices": [3, 3]}, "twice"),
        ({"indices": [3], "limit": 1}, "either indices, or"),
    ],
)
def test_a_selection_outside_the_set_is_refused(
    digits: Dataset, arguments: dict[str, int], complaint: str
) -> None:
    """No selection is empty, clipped, or counts an image twice."""
    with pytest.raises(InvalidParameter, match=complaint):
        digits.select(**arguments)  # type: ignore[arg-type]  # one of the domains under test


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("images", np.zeros((2, 1, 8, 8), dtype=np.float32)),
        ("images", np.zeros((2, 8, 8), dtype=np.uint8)),
        ("image_ids", np.arange(3, dtype=np.uint64)),
        ("image_ids", np.zeros(2, dtype=np.uint64)),
        ("labels", np.zeros(1, dtype=np.int64)),
        ("labels", np.array([0, -1])),
        ("labels", np.array([0, 2])),
    ],
)
def test_arrays_that_disagree_make_no_data_set(member: str, value: np.ndarray) -> None:
    """Types, lengths, labels and ids are checked where the set is made."""
    members = {
        "images": np.zeros((2, 1, 8, 8), dtype=np.uint8),
        "labels": np.array([0, 1]),
        "image_ids": np.arange(2, dtype=np.uint64),
    }
    Dataset(name="fine", **members, class_names=("no", "yes"))
    with pytest.raises(InvalidParameter):
        Dataset(name="wrong", **{**members, member: value}, class_names=("no", "yes"))
