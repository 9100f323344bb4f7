"""The binary files of CIFAR and MNIST, written as their authors describe them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.datasets import Dataset, open_dataset
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)


def opened(folder: Path, name: str) -> Dataset:
    """Open a set below ``folder``."""
    dataset = open_dataset(f"torchvision:{name}", folder=folder)
    assert isinstance(dataset, Dataset)
    return dataset


def write_cifar(folder: Path, file: str, labels: list[bytes], names: tuple[str, str]) -> None:
    """Write records of labels and pixels, red first."""
    folder.mkdir(exist_ok=True)
    (folder / file).write_bytes(b"".join(map(bytes.__add__, labels, (image.tobytes() for image in IMAGES))))
    (folder / names[0]).write_text(names[1])


def write_mnist(folder: Path, prefix: str) -> None:
    """Write IDX files of four images."""
    folder.mkdir(parents=True, exist_ok=True)
    header = bytes((0, 0, 8, 3)) + struct.pack(">3I", 4, 28, 28)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + IMAGES[:, 0, :28, :28].tobytes())
    labels = bytes((0, 0, 8, 1)) + struct.pack(">I", 4) + bytes((7, 2, 1, 0))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)


def test_cifar_10_is_read_from_its_binary_version(tmp_path: Path) -> None:
    """One byte of label, then red, green and blue planes; training batches follow each other."""
    folder = tmp_path / "root" / "cifar-10-batches-bin"
    folder.parent.mkdir()
    names = ("batches.meta.txt", "airplane\nautomobile\nbird\ncat\n\n")
    for file in ("test_batch.bin", *(f"data_batch_{i}.bin" for i in range(1, 6))):
        write_cifar(folder, file, [b"\x03", b"\x00", b"\x01", b"\x02"], names)
    dataset = opened(tmp_path, "cifar10?root=root")
    np.testing.assert_array_equal(dataset.images, IMAGES)
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [3, 0, 1, 2]
    assert dataset.class_names[3] == "cat"
    assert len(opened(tmp_path, "cifar10?root=root&split=train")) == 20


def test_cifar_100_has_the_fine_label_last(tmp_path: Path) -> None:
    """The coarse label comes first and is not the class."""
    labels = [bytes((9, fine)) for fine in (1, 2, 0, 1)]
    write_cifar(tmp_path / "cifar-100-binary", "test.bin", labels, ("fine_label_names.txt", "a\nb\nc\n"))
    dataset = opened(tmp_path, "cifar100?root=.")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [1, 2, 0, 1]
    np.testing.assert_array_equal(dataset.images, IMAGES)


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_mnist_is_read_where_torchvision_unpacks_it(tmp_path: Path, name: str, folder: str) -> None:
    """Big-endian lengths, then bytes."""
    write_mnist(tmp_path / folder / "raw", "t10k")
    dataset = opened(tmp_path, f"{name}?root=.")
    np.testing.assert_array_equal(dataset.images[:, 0], IMAGES[:, 0, :28, :28])
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [7, 2, 1, 0]


def test_pickles_are_never_read(tmp_path: Path) -> None:
    """The Python version of CIFAR is not opened; the refusal says which one to unpack."""
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(NotFound, match=r"cifar-10-binary\.tar\.gz"):
        opened(tmp_path, "cifar10?root=.")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("cifar10", InvalidParameter),
        ("cifar10?root=.&split=val", InvalidParameter),
        ("cifar10?root=.&download=true", InvalidParameter),
        ("imagenet?root=.", NotFound),
    ],
)
def test_what_is_not_there_or_not_known_is_refused(tmp_path: Path, name: str, error: type[Exception]) -> None:
    """Nothing is downloaded, and no option is ignored."""
    with pytest.raises(error):
        opened(tmp_path, name)


def test_files_of_another_length_are_refused(tmp_path: Path) -> None:
    """A cut download does not become fewer images."""
    folder = tmp_path / "MNIST" / "raw"
    write_mnist(folder, "t10k")
    path = folder / "t10k-images-idx3-ubyte"
    whole = path.read_bytes()
    for damaged in (b"", whole[:-1], whole + b"\x00", b"\x00\x00\x09" + whole[3:]):
        path.write_bytes(damaged)
        with pytest.raises(UnreadableInput):
            opened(tmp_path, "mnist?root=.")
    write_cifar(tmp_path / "cifar-10-batches-bin", "test_batch.bin", [b"\x00"] * 4, ("batches.meta.txt", "a"))
    cifar = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    cifar.write_bytes(cifar.read_bytes()[:-1])
    with pytest.raises(UnreadableInput, match="whole records"):
        opened(tmp_path, "cifar10?root=.")
