"""A base classifier that is ready to run, together with the record of how it runs."""

from __future__ import annotations

from contextlib import contextmanager
from math import prod
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import torch

from certd.errors import ModelError, OutOfMemory
from certd.models.runtime.numerics import numerics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from certd.models.runtime.arithmetic import Execution


class PreparedClassifier:
    """The base classifier as executed.

    Attributes:
        input_shape: Channel, height and width.
        execution: How it is executed; what a certificate has to name.
        comparison: Where another execution casts the votes: votes on whether the two agree, 0, or differ, 1.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        input_shape: tuple[int, int, int],
        execution: Execution,
        comparison: PreparedClassifier | None = None,
    ) -> None:
        self._network = network
        self.input_shape = input_shape
        self.execution = execution
        self.comparison = comparison

    def __call__(self, noisy: Tensor) -> Tensor:
        """Classify noisy images.

        Neither the logits' shape nor their values are checked here.

        Args:
            noisy: On the scale 0..255, as the noise source writes them; contiguous, float32 or bfloat16,
                ``[batch_size, dimension]``. Bfloat16 rounds values beyond 256, before anything else does.

        Returns:
            Logits, float32[batch_size, class]. Where compiled for CUDA, valid until the next call.
        """
        with numerics(tf32=self.execution.tf32):
            return self._network(noisy)

    def buffer(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return uninitialised memory for one batch of noisy images."""
        shape = (self.execution.batch_size, prod(self.input_shape))
        return torch.empty(shape, dtype=dtype, device=self.execution.device)

    def seconds_a_batch(self, repeats: int = 3) -> float:
        """Measure one forward pass: the median of several, after one that does not count.

        Raises:
            OutOfMemory: If it does not fit the device.
        """
        try:
            noisy = self.buffer().fill_(127.0)
            return median([self._seconds(noisy) for _ in range(repeats + 1)][1:])
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            raise OutOfMemory(
                f"A batch of {self.execution.batch_size} does not fit {self.execution.device}."
            ) from error

    def _seconds(self, noisy: Tensor) -> float:
        start = perf_counter()
        self(noisy).sum().item()  # waits for the device
        return perf_counter() - start


def out_of_memory(error: RuntimeError) -> bool:
    """Return whether ``error`` says that memory ran out; on the processor torch says so in words alone."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def named_failures(name: str, execution: Execution) -> Iterator[None]:
    """Say of a forward pass that fails which classifier it was.

    Raises:
        OutOfMemory: If the batch does not fit the device.
        ModelError: If the classifier raises.
    """
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise OutOfMemory(
                f"A batch of {execution.batch_size} does not fit {execution.device}; ask for a smaller "
                "batch_size, or for batch_size auto."
            ) from error
        raise ModelError(f"{name} failed on its input: {error}") from error
