"""A request names a set; a path is for the command line and for the operator's registry."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.datasets import Dataset, dataset_names, load_dataset, open_dataset, selection_digest
from certd.datasets.lazy import numbered
from certd.datasets.uri import DatasetUri
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Return a registry of one set, beside its file."""
    np.savez(tmp_path / "set.npz", images=np.zeros((3, 4, 4), dtype=np.uint8), labels=np.arange(3))
    path = tmp_path / "datasets.yaml"
    path.write_text("mine:\n  uri: npz:set.npz\n  description: Three black squares.\n")
    return path


def test_registered_and_built_in_sets_are_found_by_name(registry: Path) -> None:
    """The registered name, not the path, is what certificates carry."""
    assert dataset_names(registry=registry) == ("digits", "digits-train", "mine")
    assert load_dataset("mine", registry=registry).name == "mine"
    assert len(load_dataset("digits", registry=registry)) == 360
    assert len(open_dataset("mine", registry=registry)) == 3


@pytest.mark.parametrize("name", ["npz:set.npz", "set.npz", "folder:.", "../mine", "", "other"])
def test_no_name_opens_a_path(registry: Path, name: str) -> None:
    """``load_dataset`` serves requests, so that a URI is an unknown name to it."""
    with pytest.raises(NotFound, match="there are digits, digits-train, mine"):
        load_dataset(name, registry=registry)


def test_the_command_line_opens_paths(registry: Path) -> None:
    """The URI is the name of such a set."""
    assert open_dataset("npz:set.npz", folder=registry.parent).name == "npz:set.npz"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mine: npz:set.npz", "must map"),
        ("mine: {path: set.npz}", "uri: Field required"),
        ("mine: {uri: 'npz:set.npz', split: test}", "split: Extra inputs"),
        ("digits: {uri: 'npz:set.npz'}", "built-in set"),
    ],
)
def test_a_malformed_registry_is_refused_whole(registry: Path, text: str, complaint: str) -> None:
    """Nothing of it is used, and no built-in set is hidden."""
    registry.write_text(text)
    with pytest.raises(UnreadableInput, match=complaint):
        dataset_names(registry=registry)


@pytest.mark.parametrize(
    "uri",
    [":set", "npz:", "npz:?split=test", "npz:a?split", "npz:a?split=a&split=b", "ftp:set", "ftp:cifar10"],
)
def test_a_malformed_uri_is_refused(uri: str) -> None:
    """Without scheme, path or value, with an option twice, or of an unknown scheme."""
    with pytest.raises(InvalidParameter):
        open_dataset(uri)


def test_a_uri_is_scheme_path_and_options() -> None:
    """Paths may hold colons; values are unquoted."""
    parsed = DatasetUri.parse("folder:C:/a b?resize=256&order=na%6De")
    assert (parsed.scheme, parsed.path) == ("folder", "C:/a b")
    assert parsed.options == {"resize": "256", "order": "name"}


def test_a_selection_has_a_digest_of_its_ids_in_order() -> None:
    """The digest is SHA-256 of little-endian 64-bit ids, the same on every machine."""
    ids = np.array([3, 1], dtype=np.uint64)
    expected = hashlib.sha256(bytes.fromhex("03000000000000000100000000000000")).hexdigest()
    assert selection_digest(ids) == selection_digest(ids.astype(">u8")) == expected
    assert selection_digest(ids[::-1]) != expected


class Squares:
    """A source whose image i is filled with i."""

    shape = (10, 1, 2, 2)

    def __getitem__(self, positions: slice | NDArray[np.intp]) -> NDArray[np.uint8]:
        """Make some images."""
        return np.arange(10, dtype=np.uint8)[positions, None, None, None] * np.ones((1, 2, 2), dtype=np.uint8)

    def identity(self, position: int) -> str:
        """Return which image it is."""
        return str(position)


def test_a_lazy_set_and_an_array_select_and_part_alike() -> None:
    """Whatever is selected, both give the same images, labels and ids."""
    labels = np.arange(10) % 3
    lazy = numbered("squares", Squares(), labels)
    array = Dataset("squares", Squares()[:], labels, np.arange(10, dtype=np.uint64))
    for options in ({"skip": 3}, {"start": 2, "stop": 9, "limit": 4}, {"indices": [7, 2]}):
        chosen = (lazy.select(**options), array.select(**options))
        for one, other in zip(*(dataset.parts(3) for dataset in chosen), strict=True):
            np.testing.assert_array_equal(one.images, other.images)
            np.testing.assert_array_equal(one.labels, other.labels)
            np.testing.assert_array_equal(one.image_ids, other.image_ids)


def test_a_lazy_set_is_checked_as_an_array_is() -> None:
    """Labels of another length or below zero make no set."""
    for labels in (np.zeros(9, dtype=np.int64), np.full(10, -1)):
        with pytest.raises(InvalidParameter):
            numbered("squares", Squares(), labels)


def test_data_sets_need_neither_torch_nor_pillow_until_a_picture_is_read() -> None:
    """The API lists sets without them."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['PIL'] = None\n"
        "import certd.datasets, certd.models; certd.datasets.dataset_names()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
