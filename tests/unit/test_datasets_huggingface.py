"""Folders of Hugging Face's ``datasets`` are read as they lie; nothing is downloaded and nothing runs."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from certd.datasets import open_dataset
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LABELS = [2, 0, 1]


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    """Return three RGB images."""
    return np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)


def _table(pixels: NDArray[np.uint8], column: str = "image") -> pa.Table:
    pictures = []
    for image in pixels:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        pictures.append({"bytes": stream.getvalue(), "path": None})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.table({column: pa.array(pictures, kind), "label": pa.array(LABELS, pa.int64())})


def _save(folder: Path, table: pa.Table) -> Path:
    """Write a folder as ``Dataset.save_to_disk`` does, in two files."""
    folder.mkdir(parents=True)
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name, part in zip(names, (table.slice(0, 2), table.slice(2)), strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    info = {"features": {"label": {"names": ["ant", "bee", "cat"], "_type": "ClassLabel"}}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def test_a_saved_set_keeps_images_labels_and_names(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """Rows of several files are numbered through."""
    found = open_dataset(f"hf:{_save(tmp_path / 'set', _table(pixels))}")
    assert np.array_equal(found.images[:], pixels.transpose(0, 3, 1, 2))
    assert found.labels is not None
    assert found.labels.tolist() == LABELS
    assert found.class_names == ("ant", "bee", "cat")


def test_one_split_of_a_saved_dictionary_is_taken(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """``test`` unless another is named; one that is not there is told with those that are."""
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    _save(tmp_path / "train", _table(pixels))
    _save(tmp_path / "test", _table(pixels[::-1]))
    assert np.array_equal(open_dataset(f"hf:{tmp_path}").images[:1][0], pixels[2].transpose(2, 0, 1))
    train = open_dataset(f"hf:{tmp_path}?split=train")
    assert np.array_equal(train.images[:1][0], pixels[0].transpose(2, 0, 1))
    with pytest.raises(NotFound, match="train, test"):
        open_dataset(f"hf:{tmp_path}?split=dev")


def test_a_repository_of_parquet_files_is_read(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """Hubs publish a split as ``data/test-00000-of-00001.parquet``."""
    (tmp_path / "data").mkdir()
    pq.write_table(_table(pixels, "img"), tmp_path / "data" / "test-00000-of-00001.parquet")
    found = open_dataset(f"hf:{tmp_path}")
    assert np.array_equal(found.images[:], pixels.transpose(0, 3, 1, 2))


def test_no_other_split_is_taken_for_the_one_that_is_asked(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """Neither for one that was said nor for ``test``; those that are there are told."""
    for name in ("train-00000-of-00001", "validation-00000-of-00001"):
        pq.write_table(_table(pixels), tmp_path / f"{name}.parquet")
    for options in ("", "?split=test", "?split=tset"):
        with pytest.raises(NotFound, match="train, validation"):
            open_dataset(f"hf:{tmp_path}{options}")
    assert len(open_dataset(f"hf:{tmp_path}?split=validation")) == 3


def test_a_split_s_name_is_read_whole(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """Hubs add a digest to it, and people call splits as they like: one beginning as another is another."""
    for name in ("test-00000-of-00001-f7dfac4a", "test_small-00000-of-00001-c3d4e5f6", "test_odd", "eval"):
        pq.write_table(_table(pixels), tmp_path / f"{name}.parquet")
    for split in ("test", "test_small", "test_odd", "eval"):
        assert len(open_dataset(f"hf:{tmp_path}?split={split}")) == 3


def test_files_that_name_no_split_are_one_set_unless_a_split_is_asked(
    tmp_path: Path, pixels: NDArray[np.uint8]
) -> None:
    """All of them together, in the order of their names."""
    for name in ("b", "a"):
        pq.write_table(_table(pixels), tmp_path / f"{name}.parquet")
    assert len(open_dataset(f"hf:{tmp_path}")) == 6
    with pytest.raises(NotFound, match="'test'"):
        open_dataset(f"hf:{tmp_path}?split=test")


def test_configurations_are_not_mixed(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """A repository with a folder each is told apart by its user."""
    for configuration in ("easy", "hard"):
        (tmp_path / configuration).mkdir()
        pq.write_table(_table(pixels), tmp_path / configuration / "test-00000-of-00001.parquet")
    with pytest.raises(InvalidParameter, match="easy, hard"):
        open_dataset(f"hf:{tmp_path}")
    assert len(open_dataset(f"hf:{tmp_path / 'easy'}")) == 3


@pytest.mark.parametrize(
    ("saved", "fits"), [("train", False), ("test", True), ("test[:3]", True), (None, True)]
)
def test_a_saved_set_is_of_the_split_that_is_asked(
    saved: str | None, tmp_path: Path, pixels: NDArray[np.uint8], *, fits: bool
) -> None:
    """It says itself of which split it is, where it knows."""
    folder = _save(tmp_path / "set", _table(pixels))
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "_split": saved}))
    assert len(open_dataset(f"hf:{folder}")) == 3
    if fits:
        assert len(open_dataset(f"hf:{folder}?split=test")) == 3
    else:
        with pytest.raises(NotFound, match="train"):
            open_dataset(f"hf:{folder}?split=test")


def test_a_folder_that_is_no_set_is_refused(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    """Empty, missing, damaged, without pictures, or naming files elsewhere."""
    with pytest.raises(NotFound, match="save_to_disk"):
        open_dataset(f"hf:{tmp_path / 'missing'}")
    with pytest.raises(NotFound, match="neither"):
        open_dataset(f"hf:{tmp_path}")
    folder = _save(tmp_path / "set", _table(pixels))
    with pytest.raises(InvalidParameter, match="option"):
        open_dataset(f"hf:{folder}?download=yes")
    (folder / "data-00000-of-00002.arrow").write_bytes(b"no arrow")
    with pytest.raises(UnreadableInput, match="Arrow"):
        open_dataset(f"hf:{folder}")
    (folder / "state.json").write_text('{"_data_files": [{"filename": "../../etc/passwd"}]}')
    with pytest.raises(UnreadableInput, match="outside"):
        open_dataset(f"hf:{folder}")


def test_pictures_that_lie_elsewhere_are_not_opened(tmp_path: Path) -> None:
    """A path in a row comes from outside: it is never followed."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": None, "path": "/etc/hostname"}] * 3, kind)
    folder = _save(tmp_path / "set", pa.table({"image": rows, "label": pa.array(LABELS, pa.int64())}))
    with pytest.raises(UnreadableInput, match="embedded"):
        open_dataset(f"hf:{folder}")
