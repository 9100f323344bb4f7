"""The sampler: draws noisy copies, classifies them, counts votes; the only code that touches the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from certd.errors import ModelError, NonFiniteLogits
from certd.models.runtime.prepared import named_failures
from certd.noise.thinning import sample_classes
from certd.smoothing.confidence import ConfidenceCounter
from certd.smoothing.votes import SCALE, SoftSums, Votes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from certd.models.runtime.prepared import PreparedClassifier
    from certd.noise.source import NoiseSource
    from certd.smoothing.draws import Draws
    from certd.smoothing.votes import VoteKind

WINDOW_LOGITS = 1 << 18
"""Logits that are counted together, of several batches where those are small."""


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """Some draws of one image of the set under work, which ``image`` indexes.

    Attributes:
        image: Index of the image.
        draws: Which draws.
        label: Its true class, where it is asked how sure the classifier is; None asks for the votes alone.
    """

    image: int
    draws: Draws
    label: int | None = None


class ImageSet:
    """The images under work, on the device.

    Args:
        images: uint8[image, channel, height, width].
        image_ids: Stable ids that seed each image's noise, uint64[image].
        device: Where the sampler runs.
    """

    def __init__(self, images: NDArray[np.uint8], image_ids: NDArray[np.uint64], device: str = "cpu") -> None:
        self.pixels = torch.from_numpy(np.ascontiguousarray(images).reshape(len(images), -1)).to(device)
        self.image_ids = torch.from_numpy(np.asarray(image_ids, dtype=np.uint64)).to(device)


class Sampler:
    """Count a base classifier's votes over noisy copies of images.

    Counts are a function of (classifier as executed, image, image id, seed, draw) alone. Every forward pass
    has the same batch shape: the last batch is padded and the padding's votes are dropped, since a different
    shape may round logits differently. Votes of small batches are counted several batches at a time.

    Args:
        prepared: The base classifier as executed.
        source: The noise, keyed by the job's seed.
        name: What to call the classifier in an error.
        num_classes: Logits it was registered with.
        vote_kind: What one noisy copy contributes.
        seed: The job's seed, for soft votes that are thinned.
    """

    def __init__(  # noqa: PLR0913 - what is drawn, by whom, and how it is counted
        self,
        prepared: PreparedClassifier,
        source: NoiseSource,
        *,
        name: str,
        num_classes: int,
        vote_kind: VoteKind = "hard",
        seed: int = 0,
    ) -> None:
        self._prepared = prepared
        self._source = source
        self._name = name
        self._num_classes = num_classes
        self._batch_size = prepared.execution.batch_size
        self._device = prepared.execution.device
        self._vote_kind = vote_kind
        self._seed = seed
        self._noisy = prepared.buffer()
        batches = max(1, WINDOW_LOGITS // (self._batch_size * num_classes))
        self._logits = torch.empty(batches * self._batch_size, num_classes, device=self._device)

    def count(
        self,
        image_set: ImageSet,
        requests: Sequence[DrawRequest],
        on_batch: Callable[[int], None] | None = None,
    ) -> list[Votes]:
        """Count votes for every request.

        Args:
            image_set: The images that the requests index.
            requests: Which draws of which image; batches are filled across them.
            on_batch: Called after each forward pass with the draws it counted; may raise to stop.

        Returns:
            The votes of each request; their counts sum to the draws requested.

        Raises:
            NonFiniteLogits: With the image and how many of its draws were affected.
            ModelError: If the classifier raises or returns another shape than promised.
            OutOfMemory: If one batch does not fit the device.
        """
        layout = _Layout(requests, self._device)
        counter = _Counter(requests, self._num_classes, self._vote_kind, self._device)
        window = len(self._logits)
        for start in range(0, layout.total, window):
            real = min(window, layout.total - start)
            owners, images, draws = layout.rows(start, real + -real % self._batch_size)
            for batch in self._batches(real):
                self._source.perturb(
                    image_set.pixels, image_set.image_ids, images[batch], draws[batch], self._noisy
                )
                self._logits[batch].copy_(self._checked_logits())
                if on_batch is not None:
                    on_batch(min(self._batch_size, real - batch.start))
            logits = self._logits[:real]
            classes = self._classes(logits, image_set, images[:real], draws[:real])
            counter.add(owners[:real], logits, classes)
        self._refuse_broken(counter.broken, requests)
        return counter.votes()

    def clean_scores(self, image_set: ImageSet) -> NDArray[np.int64]:
        """Return the softmax of the images without noise, in units of 2**-32: int64[image, class]."""
        pixels = image_set.pixels
        found = []
        for start in range(0, len(pixels), self._batch_size):
            part = pixels[start : start + self._batch_size]
            self._noisy[: len(part)].copy_(part)
            self._noisy[len(part) :].copy_(part[-1:])
            logits = torch.nan_to_num(self._checked_logits()[: len(part)].double())
            found.append((logits.softmax(dim=1) * SCALE).long())
        return torch.cat(found).cpu().numpy()

    def _classes(self, logits: Tensor, image_set: ImageSet, images: Tensor, draws: Tensor) -> Tensor:
        """Return the class that each noisy copy votes for, int64[row]."""
        if self._vote_kind != "thinned":
            return logits.argmax(dim=1)
        shares = logits.double().softmax(dim=1)
        return sample_classes(shares, image_set.image_ids, images, draws, self._seed)

    def _batches(self, rows: int) -> list[slice]:
        """Return the batches that so many rows of a window take, the last one padded."""
        return [slice(start, start + self._batch_size) for start in range(0, rows, self._batch_size)]

    def _checked_logits(self) -> Tensor:
        """Classify what stands in the buffer: float[row, class]."""
        with named_failures(self._name, self._prepared.execution):
            logits = self._prepared(self._noisy)
        expected = (self._batch_size, self._num_classes)
        if tuple(logits.shape) != expected:
            raise ModelError(
                f"{self._name} returned logits of shape {tuple(logits.shape)}, "
                f"expected {expected}. "
                "Check the registered number of classes.",
            )
        return logits

    def _refuse_broken(self, broken: Tensor, requests: Sequence[DrawRequest]) -> None:
        affected = broken.nonzero().flatten().tolist()
        if affected:
            first = affected[0]
            raise NonFiniteLogits(
                f"{self._name} returned NaN or infinity on {int(broken[first])} of "
                f"{len(requests[first].draws)} draws of the image at position {requests[first].image}; "
                "its vote is undefined there. Mend the model (overflow, division by zero) and submit again.",
                image=requests[first].image,
                num_draws=int(broken[first]),
            )


class _Counter:
    """Adds votes up on the device; nothing is read back until all are in."""

    def __init__(
        self, requests: Sequence[DrawRequest], num_classes: int, vote_kind: VoteKind, device: str
    ) -> None:
        num_requests = len(requests)
        self._shape = (num_requests, num_classes)
        self._counts = torch.zeros(num_requests * num_classes, dtype=torch.int64, device=device)
        labels = [request.label for request in requests if request.label is not None]
        self._confidence = ConfidenceCounter(labels, num_classes, device) if labels else None
        self._scores = torch.zeros(self._shape, dtype=torch.int64, device=device)
        self._squares = torch.zeros_like(self._scores)
        self._summed = vote_kind == "summed"
        self.broken = torch.zeros(num_requests, dtype=torch.int64, device=device)

    def add(self, owner: Tensor, logits: Tensor, classes: Tensor) -> None:
        """Count one batch: which request each row belongs to, its logits, and the class it votes for."""
        ones = torch.ones_like(owner)
        self._counts.scatter_add_(0, owner * self._shape[1] + classes, ones)
        if self._confidence is not None:
            self._confidence.add(owner, logits)
        self.broken.scatter_add_(0, owner, ones - torch.isfinite(logits).all(dim=1).long())
        if self._summed:
            scores = logits.double().softmax(dim=1)
            self._scores.index_add_(0, owner, (scores * SCALE).long())
            self._squares.index_add_(0, owner, (scores.square() * SCALE).long())

    def votes(self) -> list[Votes]:
        """Read everything back, once."""
        counts = self._counts.reshape(self._shape).cpu().numpy()
        if self._confidence is not None:
            sums = self._confidence.sums()
            return [Votes(row, confidence=sums[i]) for i, row in enumerate(counts)]
        if not self._summed:
            return [Votes(row) for row in counts]
        scores, squares = self._scores.cpu().numpy(), self._squares.cpu().numpy()
        return [Votes(row, SoftSums(scores[i], squares[i])) for i, row in enumerate(counts)]


class _Layout:
    """All requested draws as one sequence of rows, from which any window can be cut on the device.

    The requests are sent there once: a copy for every batch would wait each time until the device is idle.
    """

    def __init__(self, requests: Sequence[DrawRequest], device: str) -> None:
        lengths = np.array([len(request.draws) for request in requests], dtype=np.int64)
        ends = lengths.cumsum()
        images = np.array([request.image for request in requests], dtype=np.int64)
        first_draws = [request.draws.phase.index(request.draws.start) for request in requests]
        # The draw of row r of a request that begins at row b is first + r - b.
        offsets = np.array(first_draws, dtype=np.int64) - (ends - lengths)
        self._ends, self._images, self._offsets = (
            torch.from_numpy(array).to(device) for array in (ends, images, offsets)
        )
        self._device = device
        self.total = int(lengths.sum())

    def rows(self, start: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return request, image and draw of ``size`` rows from ``start``; past the end the last repeats.

        Returns:
            int64[row], int64[row] and uint32[row].
        """
        rows = torch.arange(start, start + size, device=self._device).clamp_(max=self.total - 1)
        owners = torch.searchsorted(self._ends, rows, right=True)
        draws = rows + self._offsets[owners]
        # The low 32 bits of an int64, whichever half of the range they are in.
        return owners, self._images[owners], draws.to(torch.int32).view(torch.uint32)
