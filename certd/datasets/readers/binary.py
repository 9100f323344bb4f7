"""The binary files of CIFAR and MNIST, where torchvision and their authors put them."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np

from certd.datasets.dataset import Dataset
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.datasets.uri import DatasetUri

CIFAR_SHAPE = (3, 32, 32)
CIFAR_FILES = {
    ("cifar10", "test"): ("cifar-10-batches-bin", ("test_batch.bin",)),
    ("cifar10", "train"): ("cifar-10-batches-bin", tuple(f"data_batch_{i}.bin" for i in range(1, 6))),
    ("cifar100", "test"): ("cifar-100-binary", ("test.bin",)),
    ("cifar100", "train"): ("cifar-100-binary", ("train.bin",)),
}
CIFAR_LABEL_BYTES = {"cifar10": 1, "cifar100": 2}
CIFAR_CLASS_NAMES = {"cifar10": "batches.meta.txt", "cifar100": "fine_label_names.txt"}
MNIST_FOLDERS = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}
MNIST_PREFIXES = {"test": "t10k", "train": "train"}


def open_torchvision(uri: DatasetUri, root: Path, name: str) -> Dataset:
    """Read ``torchvision:cifar10?root=DIR&split=test``, or cifar100, mnist or fashion-mnist.

    MNIST lies where torchvision unpacks it. CIFAR must be the binary version, ``cifar-10-binary.tar.gz``
    unpacked in the root: the Python version is pickles, which can run code and are never read.

    Raises:
        NotFound: If the set is unknown or its files are not in the root.
        UnreadableInput: If a file does not have the length that its format demands.
    """
    uri.allow("root", "split")
    split = uri.choice("split", "test", "train")
    if uri.path in CIFAR_LABEL_BYTES:
        return _cifar(uri.path, split, root, name)
    if uri.path in MNIST_FOLDERS:
        return _mnist(root / MNIST_FOLDERS[uri.path], MNIST_PREFIXES[split], name)
    known = ", ".join(sorted([*CIFAR_LABEL_BYTES, *MNIST_FOLDERS]))
    raise NotFound(f"torchvision:{uri.path} is unknown here; there are {known}.")


def _cifar(kind: str, split: str, root: Path, name: str) -> Dataset:
    folder, files = CIFAR_FILES[kind, split]
    label_bytes = CIFAR_LABEL_BYTES[kind]
    data = b"".join(_read(root / folder / file) for file in files)
    record = label_bytes + math.prod(CIFAR_SHAPE)
    if len(data) == 0 or len(data) % record:
        raise UnreadableInput(f"{folder} does not hold whole records of {record} bytes; unpack it again.")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, record)
    images = records[:, label_bytes:].reshape(-1, *CIFAR_SHAPE)
    # CIFAR-100 stores the coarse label first and the fine one last.
    labels = records[:, label_bytes - 1].astype(np.int64)
    names = _read(root / folder / CIFAR_CLASS_NAMES[kind]).decode("utf-8", "replace").split()
    return Dataset(name, images, labels, np.arange(len(images), dtype=np.uint64), tuple(names))


def _mnist(folder: Path, prefix: str, name: str) -> Dataset:
    images = _idx(folder / f"{prefix}-images-idx3-ubyte", axes=3)
    labels = _idx(folder / f"{prefix}-labels-idx1-ubyte", axes=1).astype(np.int64)
    ids = np.arange(len(images), dtype=np.uint64)
    return Dataset(name, images[:, None], labels, ids, tuple(str(label) for label in range(10)))


def _idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """Read an IDX file of bytes: two zeros, the type 8, the number of axes, their lengths, the elements."""
    data = _read(path)
    header = 4 + 4 * axes
    if len(data) < header or data[:4] != bytes((0, 0, 8, axes)):
        raise UnreadableInput(f"{path.name} is no IDX file of bytes with {axes} axes.")
    shape = struct.unpack_from(f">{axes}I", data, 4)
    if len(data) - header != math.prod(shape):
        raise UnreadableInput(
            f"{path.name} promises {math.prod(shape)} bytes and holds {len(data) - header}."
        )
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(
            f"There is no {path.parent.name}/{path.name} in the root. CIFAR is read from its binary version: "
            "unpack cifar-10-binary.tar.gz or cifar-100-binary.tar.gz there. Nothing is downloaded."
        ) from error


def root_of(uri: DatasetUri) -> str:
    """Return the folder that holds the set.

    Raises:
        InvalidParameter: If the URI names none.
    """
    if "root" not in uri.options:
        raise InvalidParameter(f"torchvision:{uri.path} needs ?root=FOLDER; nothing is downloaded.")
    return uri.options["root"]
