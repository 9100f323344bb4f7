"""Which images of which data set a command is about."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certd.errors import InvalidParameter, NotFound
from certd.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from certd.datasets import Dataset, LazyDataset


@dataclass(frozen=True, slots=True)
class ChosenImages:
    """A data set and the selection from it, as options state it.

    Attributes:
        dataset: Registered name, or URI.
        skip: Take every skip-th image.
        start: First image.
        stop: Image after the last.
        limit: Most images.
        indices: Images instead of the above: numbers separated by commas, or ``@FILE``.
        sample: Keep so many, drawn at random.
        sample_seed: Chooses the sample.
        label_map: JSON file with the class of each label.
    """

    dataset: str
    skip: int = 1
    start: int = 0
    stop: int | None = None
    limit: int | None = None
    indices: str | None = None
    sample: int | None = None
    sample_seed: int = 0
    label_map: Path | None = None

    def open(self) -> Dataset | LazyDataset:
        """Open the set and choose from it; large sets are read when they are asked for."""
        from certd.datasets import open_dataset

        whole = open_dataset(self.dataset, registry=load_settings().datasets)
        chosen = whole.select(**self.selection)
        return chosen if self.label_map is None else chosen.relabelled(_read_label_map(self.label_map))

    @property
    def selection(self) -> dict[str, Any]:
        """Return the selection under the names of ``Dataset.select`` and of the service."""
        members = asdict(self)
        for name in ("dataset", "label_map"):
            del members[name]
        return {**members, "indices": None if self.indices is None else _read_indices(self.indices)}


def _read_indices(text: str) -> list[int]:
    if text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            raise NotFound(f"There is no file {path}.")
        text = path.read_text()
    try:
        return [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise InvalidParameter("--indices takes whole numbers, such as 3,1,7, or @FILE with them.") from None


def _read_label_map(path: Path) -> dict[int, int]:
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    try:
        found = json.loads(path.read_text())
        members = enumerate(found) if isinstance(found, list) else found.items()
        return {int(label): _class(value) for label, value in members}
    except (ValueError, AttributeError):
        raise InvalidParameter(
            f'{path.name} must hold JSON that gives each label its class: {{"0": 207, "1": 3}}, or a list.'
        ) from None


def _class(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(value)  # noqa: TRY004 - a ValueError is what the caller turns into a sentence
    return value


def pixels_by_id(name: str) -> Callable[[int], NDArray[np.uint8]]:
    """Return what gives the pixels of an image id of the data set ``name``."""
    return pixels_of(whole_set(name))


def whole_set(name: str, label_map: Path | None = None) -> Dataset | LazyDataset:
    """Return the data set ``name``, with each label replaced as ``label_map`` says if there is one."""
    from certd.datasets import open_dataset

    whole = open_dataset(name, registry=load_settings().datasets)
    return whole if label_map is None else whole.relabelled(_read_label_map(label_map))


def pixels_of(whole: Dataset | LazyDataset) -> Callable[[int], NDArray[np.uint8]]:
    """Return what gives the pixels of an image id of a whole data set."""
    import numpy as np

    return lambda image_id: whole.images[np.array([image_id])][0]


def labels_of(whole: Dataset | LazyDataset) -> Callable[[int], int] | None:
    """Return what gives the label of an image id of a whole data set; None where it has no labels."""
    labels = whole.labels
    return None if labels is None else lambda image_id: int(labels[image_id])
