"""Folders of pictures: the order of classes, laziness, and nothing done to a picture unasked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from certd.datasets import LazyDataset, open_dataset
from certd.errors import InvalidParameter, NotFound, ShapeMismatch, TooLarge, UnreadableInput


def write(path: Path, level: int, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> None:
    """Write a picture of one colour; ``size`` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level, 0, 255 - level)).save(path)


def opened(folder: Path, options: str = "") -> LazyDataset:
    """Open the folder ``set``."""
    dataset = open_dataset(f"folder:set{options}", folder=folder)
    assert isinstance(dataset, LazyDataset)
    return dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two classes, the later name first on disk, with things that are no classes."""
    for level, name in enumerate(("n02/b.png", "n02/deep/a.PNG", "n01/z.png", "n01/a.png", ".hidden/x.png")):
        write(tmp_path / "set" / name, level)
    (tmp_path / "set" / "n01" / "README").write_text("no picture")
    (tmp_path / "set" / "classes.txt").write_text("no class")
    return tmp_path


def test_classes_and_pictures_are_in_the_order_of_their_names(folder: Path) -> None:
    """As torchvision numbers them, whatever order the disk lists them in; ids are positions."""
    dataset = opened(folder)
    assert dataset.class_names == ("n01", "n02")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 0, 1, 1]
    assert dataset.images[:][:, 0, 0, 0].tolist() == [3, 2, 0, 1]
    assert dataset.image_ids.tolist() == [0, 1, 2, 3]
    assert dataset.input_shape == (3, 4, 6)


def test_pictures_are_read_when_they_are_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening reads one picture; a selection reads none; a part reads its own."""
    read: list[str] = []
    original = Path.read_bytes

    def counted(path: Path) -> bytes:
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    chosen = opened(folder).select(indices=[3, 0])
    assert read == ["a.png"]
    assert (chosen.image_ids.tolist(), len(chosen), chosen.images.shape) == ([3, 0], 2, (2, 3, 4, 6))
    assert read == ["a.png"]
    first, second = chosen.parts(1)
    assert read == ["a.png", "a.PNG", "a.png"]
    assert (first.image_ids.tolist(), second.image_ids.tolist()) == ([3], [0])
    assert first.labels is not None
    assert first.labels.tolist() == [1]
    assert first.images[0, 0, 0, 0] == 1


def test_a_selection_of_a_selection_keeps_the_ids(folder: Path) -> None:
    """An id finds the same picture in the whole set."""
    dataset = opened(folder)
    twice = dataset.select(skip=2).select(indices=[1])
    assert twice.image_ids.tolist() == [2]
    np.testing.assert_array_equal(twice.images[:], dataset.images[np.array([2])])


def test_a_folder_without_folders_has_no_labels(tmp_path: Path) -> None:
    """Pictures alone are a set too."""
    write(tmp_path / "set" / "b.png", 1)
    write(tmp_path / "set" / "a.png", 2)
    dataset = opened(tmp_path)
    assert (dataset.labels, dataset.class_names) == (None, ())
    assert dataset.images[:][:, 0, 0, 0].tolist() == [2, 1]


def test_numbered_classes_are_numbered_only_when_that_is_said(tmp_path: Path) -> None:
    """Names sort 10 before 2, so the class would not be the number: the user decides."""
    for name in ("2", "10"):
        write(tmp_path / "set" / name / "a.png", int(name))
    with pytest.raises(InvalidParameter, match=r"\?order=number, or \?order=name"):
        opened(tmp_path)
    assert opened(tmp_path, "?order=number").class_names == ("2", "10")
    assert opened(tmp_path, "?order=name").class_names == ("10", "2")
    (tmp_path / "set" / "10").rename(tmp_path / "set" / "3")
    assert opened(tmp_path).class_names == ("2", "3")


def test_grey_becomes_rgb_only_when_that_is_said(folder: Path) -> None:
    """A grey picture among coloured ones is refused by name; with the option it is repeated."""
    write(folder / "set" / "n02" / "c.png", 9, mode="L")
    with pytest.raises(ShapeMismatch, match=r"n02/c\.png.*\?channels=3"):
        _ = opened(folder).images[:]
    last = opened(folder, "?channels=3").images[:][3]
    assert last.shape == (3, 4, 6)
    assert (last == 9).all()
    with pytest.raises(ShapeMismatch, match="coloured"):
        opened(folder, "?channels=1")


def test_sizes_are_brought_together_only_when_that_is_said(folder: Path) -> None:
    """The ImageNet protocol: the shorter side is resized, the middle is cut."""
    write(folder / "set" / "n02" / "c.png", 9, size=(30, 12))
    with pytest.raises(ShapeMismatch, match=r"n02/c\.png.*\?resize=256&crop=224"):
        _ = opened(folder).images[:]
    dataset = opened(folder, "?resize=8&crop=6")
    assert dataset.images[:].shape == (5, 3, 6, 6)
    assert dataset.images[:][3, :, 3, 3].tolist() == [9, 0, 246]
    with pytest.raises(ShapeMismatch, match="too small"):
        opened(folder, "?crop=5")


def test_resizing_agrees_with_pillow_on_the_whole_picture(tmp_path: Path) -> None:
    """Each channel is resized alone, to the size of torchvision, and the crop is the middle."""
    pixels = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    (tmp_path / "set").mkdir()
    Image.fromarray(pixels).save(tmp_path / "set" / "a.png")
    whole = Image.fromarray(pixels).resize((24, 16), Image.Resampling.BILINEAR)
    expected = np.asarray(whole)[1:15, 5:19].transpose(2, 0, 1)
    np.testing.assert_array_equal(opened(tmp_path, "?resize=16&crop=14").images[:][0], expected)


@pytest.mark.parametrize("options", ["?resize=0", "?crop=-1", "?channels=2", "?size=3", "?order=size"])
def test_an_impossible_step_is_refused(folder: Path, options: str) -> None:
    """No misspelt or senseless option becomes a default."""
    (folder / "set" / "n02").rename(folder / "set" / "10")
    (folder / "set" / "n01").rename(folder / "set" / "2")
    with pytest.raises(InvalidParameter):
        opened(folder, options)


def test_missing_empty_and_damaged_things_are_told_by_name(folder: Path) -> None:
    """A class without pictures would shift nothing but hide a mistake."""
    with pytest.raises(NotFound, match="no folder"):
        open_dataset("folder:other", folder=folder)
    (folder / "set" / "n01" / "z.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableInput, match=r"n01/z\.png"):
        _ = opened(folder).images[:]
    (folder / "set" / "n00").mkdir()
    with pytest.raises(NotFound, match="n00"):
        opened(folder)


@pytest.mark.parametrize("size", [(1, 200_000), (10_000_000, 1)])
def test_a_picture_that_would_grow_beyond_all_measure_is_refused(
    size: tuple[int, int], tmp_path: Path
) -> None:
    """A few hundred bytes of a line one pixel wide ask for gigabytes once its shorter side is resized."""
    write(tmp_path / "set/a/line.png", 0, size, "L")
    with pytest.raises(TooLarge, match=r"'a/line\.png' would have .* pixels"):
        opened(tmp_path, "?resize=256&crop=224")
