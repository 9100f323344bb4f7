"""Sets too large for memory: images are read when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from certd.datasets.dataset import Dataset, require_ids, require_labels
from certd.datasets.labels import renumbered
from certd.datasets.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray


class ImageSource(Protocol):
    """Images of one shape, indexed like an array by slices and arrays of positions."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return image, channel, height and width."""

    def __getitem__(self, positions: slice | NDArray[np.intp]) -> NDArray[np.uint8]:
        """Read some images, uint8[image, channel, height, width]."""

    def identity(self, position: int) -> str:
        """Return what tells an image from another that may take its place, without decoding it."""


@dataclass(frozen=True, slots=True, eq=False)
class SelectedImages:
    """Some images of a source, none of them read yet."""

    source: ImageSource
    positions: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return image, channel, height and width."""
        return (len(self.positions), *self.source.shape[1:])

    def __getitem__(self, positions: slice | NDArray[np.intp]) -> NDArray[np.uint8]:
        return self.source[self.positions[positions]]

    def identity(self, position: int) -> str:
        """Return what the source says of the image."""
        return self.source.identity(int(self.positions[position]))


@dataclass(frozen=True, slots=True, eq=False)
class LazyDataset:
    """A :class:`Dataset` whose images stay on disk; ``images[positions]`` and :meth:`parts` read some.

    Attributes:
        name: The name under which the whole set is registered.
        images: Read when indexed.
        labels: True classes, int64[image] in ``[0, len(class_names))``; None where unknown.
        image_ids: Position in the named set, uint64[image], kept through selections.
        class_names: One name a class; empty where unknown.

    Raises:
        InvalidParameter: If the arrays disagree in length, type or range, or two images share an id.
    """

    name: str
    images: ImageSource
    labels: NDArray[np.int64] | None
    image_ids: NDArray[np.uint64]
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_ids(self.image_ids, len(self))
        if self.labels is not None:
            require_labels(self.labels, len(self), len(self.class_names))

    def __len__(self) -> int:
        return self.images.shape[0]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Return channel, height and width of one image."""
        return self.images.shape[1:]

    def select(  # noqa: PLR0913 - the members of a Selection
        self,
        *,
        skip: int = 1,
        start: int = 0,
        stop: int | None = None,
        limit: int | None = None,
        indices: Sequence[int] | None = None,
        sample: int | None = None,
        sample_seed: int = 0,
    ) -> LazyDataset:
        """Return what :meth:`Dataset.select` returns, with no image read.

        Raises:
            InvalidParameter: If an argument lies outside its domain, or ``indices`` comes with another one.
        """
        positions = Selection(skip, start, stop, limit, indices, sample, sample_seed).positions(len(self))
        return LazyDataset(
            name=self.name,
            images=SelectedImages(self.images, positions),
            labels=None if self.labels is None else self.labels[positions],
            image_ids=self.image_ids[positions],
            class_names=self.class_names,
        )

    def relabelled(self, class_of: Mapping[int, int]) -> LazyDataset:
        """Return what :meth:`Dataset.relabelled` returns.

        Raises:
            InvalidParameter: If there are no labels, or one has no number.
        """
        return replace(self, labels=renumbered(self.labels, class_of), class_names=())

    def parts(self, size: int) -> Iterator[Dataset]:
        """Yield the set in consecutive parts of at most ``size`` images, each read when it is its turn."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            labels = None if self.labels is None else self.labels[part]
            yield Dataset(self.name, self.images[part], labels, self.image_ids[part], self.class_names)


def numbered(
    name: str, images: ImageSource, labels: NDArray[np.int64] | None, class_names: tuple[str, ...] = ()
) -> LazyDataset:
    """Return a whole set, whose ids are its positions."""
    return LazyDataset(name, images, labels, np.arange(images.shape[0], dtype=np.uint64), class_names)
