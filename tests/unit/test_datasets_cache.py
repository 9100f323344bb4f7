"""Labels and pixels of a named set are of one image, however often the set changes between two readers."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from certd.datasets import load_dataset
from certd.datasets.cache import DatasetCache
from certd.errors import Conflict
from certd.jobs.inputs import Inputs, read_inputs, write_inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

CAT, DOG = 0, 200


def _png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 4), level, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_png(level))


def _npz(folder: Path, levels: list[int], labels: list[int]) -> None:
    images = np.ones((len(levels), 4, 4), dtype=np.uint8) * np.array(levels, dtype=np.uint8)[:, None, None]
    np.savez(folder / "pets.npz", images=images, labels=np.array(labels))


def _tar(folder: Path, levels: list[int]) -> None:
    with tarfile.open(folder / "pets.tar", "w") as tar:
        for i, level in enumerate(levels):
            info = tarfile.TarInfo(f"{i}.png")
            info.size = len(_png(level))
            tar.addfile(info, io.BytesIO(_png(level)))


def _parquet(folder: Path, levels: list[int]) -> None:
    table = pa.table(
        {"image": [_png(level) for level in levels], "label": [level // 100 for level in levels]}
    )
    pq.write_table(table, folder / "pets.parquet")


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Return a registry of a folder with three cats and three dogs."""
    for i in range(3):
        _picture(tmp_path / f"pets/cat/b{i}.png", CAT + i)
        _picture(tmp_path / f"pets/dog/b{i}.png", DOG + i)
    path = tmp_path / "datasets.yaml"
    path.write_text("pets:\n  uri: folder:pets\n")
    return path


def _submitted(registry: Path) -> Inputs:
    return Inputs.of_dataset(load_dataset("pets", registry=registry).select())


def _read(cache: DatasetCache, inputs: Inputs) -> NDArray[np.uint8]:
    return cache.pixels("pets", inputs.image_ids, inputs.seen)


def test_a_set_that_changed_before_submission_is_opened_again(registry: Path) -> None:
    """A worker that held the set from before gives each label its own picture all the same."""
    worker = DatasetCache(registry)
    worker.get("pets")
    _picture(registry.parent / "pets/cat/a.png", CAT + 50)
    inputs = _submitted(registry)
    assert inputs.labels is not None
    assert ((_read(worker, inputs)[:, 0, 0, 0] >= DOG) == (inputs.labels == 1)).all()


def _one_more(folder: Path) -> None:
    _picture(folder / "cat/a.png", CAT)


def _one_less(folder: Path) -> None:
    (folder / "dog/b2.png").unlink()


def _renamed(folder: Path) -> None:
    (folder / "cat").rename(folder / "zebra")


def _another_picture(folder: Path) -> None:
    Image.new("RGB", (9, 9)).save(folder / "dog/b1.png")


@pytest.mark.parametrize(
    ("change", "held"),
    [
        (_one_more, False),
        *((change, held) for change in (_one_less, _renamed, _another_picture) for held in (True, False)),
    ],
)
def test_a_set_that_changed_since_submission_is_refused(
    change: Callable[[Path], None], registry: Path, *, held: bool
) -> None:
    """Whether or not the worker had it open: its pictures are not those that the labels are of."""
    inputs, worker = _submitted(registry), DatasetCache(registry)
    if held:
        assert len(_read(worker, inputs)) == 6
    change(registry.parent / "pets")
    with pytest.raises(Conflict, match="changed since submission"):
        _read(worker, inputs)


def test_a_listing_from_before_a_picture_came_still_serves_its_job(registry: Path) -> None:
    """What the job asks for is where it was, so the job goes on."""
    inputs, worker = _submitted(registry), DatasetCache(registry)
    before = _read(worker, inputs)
    _one_more(registry.parent / "pets")
    np.testing.assert_array_equal(_read(worker, inputs), before)


def test_pixels_of_a_set_in_memory_and_labels_alone_are_noticed(registry: Path) -> None:
    """Such a set is known by all its pixels, and any set by its labels."""
    registry.write_text("pets:\n  uri: npz:pets.npz\n")
    _npz(registry.parent, [CAT, DOG, CAT], [0, 1, 0])
    inputs = _submitted(registry)
    for levels, labels in (([CAT, DOG, CAT + 1], [0, 1, 0]), ([CAT, DOG, CAT], [0, 1, 1])):
        _npz(registry.parent, levels, labels)
        with pytest.raises(Conflict, match="changed since submission"):
            _read(DatasetCache(registry), inputs)


@pytest.mark.parametrize("write", [_tar, _parquet])
def test_archives_and_tables_are_known_by_what_lies_in_them(
    write: Callable[[Path, list[int]], None], registry: Path
) -> None:
    """The same file is the same set to any reader; one that holds more is another."""
    scheme = "wds:pets.tar" if write is _tar else "parquet:pets.parquet"
    registry.write_text(f"pets:\n  uri: {scheme}\n")
    write(registry.parent, [CAT, DOG, CAT])
    inputs, worker = _submitted(registry), DatasetCache(registry)
    assert _read(worker, inputs)[:, 0, 0, 0].tolist() == [CAT, DOG, CAT]
    write(registry.parent, [DOG, CAT, CAT, *range(40)])
    with pytest.raises(Conflict, match="changed since submission"):
        _read(DatasetCache(registry), inputs)


def test_another_entry_of_that_name_is_opened(registry: Path) -> None:
    """What the registry says now counts, whatever was open under the name."""
    worker = DatasetCache(registry)
    assert worker.get("pets").input_shape == (1, 4, 4)
    registry.write_text("pets:\n  uri: folder:pets?channels=3\n")
    assert worker.get("pets").input_shape == (3, 4, 4)


def test_a_set_that_did_not_change_stays_open(registry: Path) -> None:
    """Listing a large folder once is enough."""
    inputs, worker = _submitted(registry), DatasetCache(registry)
    opened = worker.get("pets")
    _read(worker, inputs)
    assert worker.get("pets") is opened


def test_a_job_of_an_earlier_version_is_read_as_it_was(registry: Path) -> None:
    """It does not say what it saw; only an image that is gone is refused."""
    stored = io.BytesIO()
    asked = _submitted(registry)
    write_inputs(stored, Inputs(asked.image_ids, None, asked.labels))
    stored.seek(0)
    inputs = read_inputs(stored)
    assert inputs.seen is None
    assert len(_read(DatasetCache(registry), inputs)) == 6
    _one_less(registry.parent / "pets")
    with pytest.raises(Conflict, match="changed since submission"):
        _read(DatasetCache(registry), inputs)


def test_what_a_job_saw_is_stored_with_it(registry: Path) -> None:
    """It is in its inputs, image by image, and no two images of this set are alike."""
    stored = io.BytesIO()
    inputs = _submitted(registry)
    write_inputs(stored, inputs)
    stored.seek(0)
    assert inputs.seen is not None
    assert len(set(inputs.seen.tolist())) == 6
    np.testing.assert_array_equal(read_inputs(stored).seen, inputs.seen)
