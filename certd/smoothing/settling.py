"""Settle what a certification left open about its execution: the batch size, and whether to compile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.models.runtime.batch_size import best_batch_size, halve_until_it_fits
from certd.models.runtime.compilation import can_compile, worth_compiling
from certd.models.runtime.prepare import assemble
from certd.smoothing.estimate import expected_draws
from certd.smoothing.request import DEFAULT_BATCH_SIZE

if TYPE_CHECKING:
    from certd.models import BaseClassifier
    from certd.models.runtime.arithmetic import Execution
    from certd.smoothing.request import Certification

CPU_CANDIDATES = (16, 32, 48, 64, 96, 128, 192, 256, 512)
CUDA_CANDIDATES = (256, 512, 1024, 2048, 4096, 8192, 16384)


def settle(
    classifier: BaseClassifier, certification: Certification, num_images: int, device: str = "cpu"
) -> Certification:
    """Return ``certification`` with nothing left open, before the first draw of a job.

    Rounding depends on both choices, and so does the classifier as executed: whoever goes on with the job
    uses what was settled, see :func:`settled_as`.

    Args:
        classifier: The base classifier, its module on ``device``.
        certification: ``auto`` for the batch size finds the one with the most draws a second; on an
            accelerator any other is halved until it fits. ``auto`` for compiling does so only where the job
            is long enough to earn it back and a compiler is installed.
        num_images: Images of the whole job.
        device: A torch device name.

    Raises:
        OutOfMemory: If not even one row fits the device.
    """
    plain = certification.execution.model_copy(update={"compiled": False})

    def seconds(size: int) -> float:
        return assemble(classifier, plain, size, device).seconds_a_batch()

    size, compiled = certification.batch_size, certification.execution.compiled
    if size == "auto":
        size = best_batch_size(seconds, CPU_CANDIDATES if device == "cpu" else CUDA_CANDIDATES)
    elif device != "cpu":
        size = halve_until_it_fits(seconds, size)
    if compiled == "auto":
        draws = expected_draws(certification, num_images)
        compiled = can_compile(device) and worth_compiling(draws, seconds(size) / size)
    return _with(certification, size, compiled=compiled)


def settled_as(certification: Certification, execution: Execution) -> Certification:
    """Return ``certification`` as a job that has begun settled it."""
    return _with(certification, execution.batch_size, compiled=execution.compiled)


def as_asked(certification: Certification) -> Certification:
    """Return ``certification`` with what is open settled without a measurement, for work of one moment."""
    size = DEFAULT_BATCH_SIZE if certification.batch_size == "auto" else certification.batch_size
    return _with(certification, size, compiled=certification.execution.compiled is True)


def _with(certification: Certification, batch_size: int, *, compiled: bool) -> Certification:
    execution = certification.execution.model_copy(update={"compiled": compiled})
    return certification.model_copy(update={"batch_size": batch_size, "execution": execution})
