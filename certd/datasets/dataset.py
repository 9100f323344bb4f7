"""A set of images whose members keep their names, whatever is selected from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.datasets.labels import renumbered
from certd.datasets.selection import Selection
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images, and what is known about them.

    Attributes:
        name: The name under which the whole set is registered.
        images: uint8[image, channel, height, width].
        labels: True classes, int64[image] in ``[0, len(class_names))``; None where unknown.
        image_ids: Position in the named set, uint64[image]. It seeds the noise, so it is never renumbered: an
            image draws the same noise in the whole set and in any selection.
        class_names: One name a class; empty where unknown.

    Raises:
        InvalidParameter: If the arrays disagree in length, type or range, or two images share an id.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    image_ids: NDArray[np.uint64]
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_images(self.images)
        require_ids(self.image_ids, len(self.images))
        if self.labels is not None:
            require_labels(self.labels, len(self.images), len(self.class_names))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Return channel, height and width of one image."""
        _, channels, height, width = self.images.shape
        return channels, height, width

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
    ) -> Dataset:
        """Return every ``skip``-th image from ``start`` to ``stop``, at most ``limit`` of them; ids are kept.

        Args:
            skip: Step, at least 1; Cohen's ``--skip``.
            start: First position, in ``[0, len(self))``.
            stop: Position after the last one, in ``(start, len(self)]``; None for the end.
            limit: Most images to keep, at least 1; None for all.
            indices: Distinct positions in the order wanted, instead of all the others.
            sample: Keep so many of these, drawn at random; they stay in their order.
            sample_seed: Chooses the sample.

        Raises:
            InvalidParameter: If an argument lies outside its domain, or ``indices`` comes with another one.
        """
        positions = Selection(skip, start, stop, limit, indices, sample, sample_seed).positions(len(self))
        return Dataset(
            name=self.name,
            images=self.images[positions],
            labels=None if self.labels is None else self.labels[positions],
            image_ids=self.image_ids[positions],
            class_names=self.class_names,
        )

    def relabelled(self, class_of: Mapping[int, int]) -> Dataset:
        """Return the set with each label replaced by the classifier's number for the same class.

        Raises:
            InvalidParameter: If there are no labels, or one has no number.
        """
        return replace(self, labels=renumbered(self.labels, class_of), class_names=())

    def parts(self, size: int) -> Iterator[Dataset]:
        """Yield the set in consecutive parts of at most ``size`` images."""
        for start in range(0, len(self), size):
            yield self.select(start=start, stop=min(start + size, len(self)))


def _require_images(images: NDArray[np.uint8]) -> None:
    if images.dtype != np.uint8 or images.ndim != 4:
        raise InvalidParameter(f"Images must be uint8[image, channel, height, width], not {_kind(images)}.")


def require_ids(image_ids: NDArray[np.uint64], num_images: int) -> None:
    """Refuse ids that are not one distinct uint64 an image."""
    if image_ids.dtype != np.uint64 or image_ids.shape != (num_images,):
        raise InvalidParameter(
            f"The ids of {num_images} images must be uint64[image], not {_kind(image_ids)}."
        )
    if len(np.unique(image_ids)) != num_images:
        raise InvalidParameter(
            "Two images share an id, so they would share their noise; ids must be distinct."
        )


def require_labels(labels: NDArray[np.int64], num_images: int, num_classes: int) -> None:
    """Refuse labels that are not one class an image; ``num_classes`` of 0 means unknown."""
    if labels.dtype != np.int64 or labels.shape != (num_images,):
        raise InvalidParameter(
            f"The labels of {num_images} images must be int64[image], not {_kind(labels)}."
        )
    if labels.min(initial=0) < 0:
        raise InvalidParameter(f"Labels are class indices from 0; one is {labels.min()}.")
    if num_classes and labels.max(initial=0) >= num_classes:
        raise InvalidParameter(f"There are {num_classes} classes, but one label is {labels.max()}.")


def _kind(array: NDArray[Any]) -> str:
    return f"{array.dtype}{list(array.shape)}"
