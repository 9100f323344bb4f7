"""Prepare a base classifier to run: fold, lay out, convert, compile; and record all of it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import nn

from certd.errors import InvalidParameter, ModelError
from certd.models.runtime.allocation import keep_freed_memory
from certd.models.runtime.arithmetic import Execution
from certd.models.runtime.comparison import Comparison
from certd.models.runtime.compilation import compiled
from certd.models.runtime.fold import fold, unfolded
from certd.models.runtime.neighbours import require_own_answers
from certd.models.runtime.numerics import keep_cublas_repeatable, numerics
from certd.models.runtime.on_grid import OnGrid
from certd.models.runtime.prepared import PreparedClassifier

if TYPE_CHECKING:
    from certd.models.base_classifier import BaseClassifier
    from certd.models.runtime.arithmetic import Dtype, ExecutionArithmetic
    from certd.models.runtime.fold import Folding

FEW_CONVOLUTIONS = 4


def prepare(
    classifier: BaseClassifier, arithmetic: ExecutionArithmetic, batch_size: int, device: str = "cpu"
) -> PreparedClassifier:
    """Make ``classifier`` ready to run on batches of one size, and record how.

    With everything off and in float32, logits are those of the plain classifier bit for bit. Folding, layout
    and compiling change them in the last bits, bfloat16 in the third digit: each is another classifier *as
    executed*, which is what a certificate is about. The classifier itself is left as it is, so that several
    may be prepared from it. It classifies two batches, to see that rows do not depend on each other.

    Args:
        classifier: The base classifier, its module on ``device``.
        arithmetic: How to execute it.
        batch_size: Rows of every forward pass, at least 1.
        device: A torch device name.

    Raises:
        InvalidParameter: If the classifier does not run in the type asked for, or compiling is left open.
        ModelError: If its kernels cannot be compiled, it fails on images, its logits for one depend on others
            of the batch, or one batch gets two answers.
        OutOfMemory: If one batch does not fit the device.
    """
    prepared = assemble(classifier, arithmetic, batch_size, device)
    for each in filter(None, (prepared, prepared.comparison)):
        require_own_answers(each, classifier.name)
    return prepared


def assemble(
    classifier: BaseClassifier, arithmetic: ExecutionArithmetic, batch_size: int, device: str = "cpu"
) -> PreparedClassifier:
    """Make ``classifier`` ready to be timed: as ``prepare`` does, but its rows were not compared.

    Nothing may be certified with the result, unless that was done for the same network before.
    """
    keep_cublas_repeatable()
    if arithmetic.compiled == "auto":
        raise InvalidParameter("Settle first whether to compile; ask for compiled true or false.")
    if arithmetic.dtype == "checked":
        return _checked(classifier, arithmetic, batch_size, device)
    on_gpu = torch.device(device).type == "cuda"
    if not on_gpu:
        keep_freed_memory()
    fuse = on_gpu and arithmetic.channels_last
    folding = fold(classifier, fuse=fuse) if arithmetic.fold else unfolded(classifier)
    channels_last = arithmetic.channels_last and (on_gpu or _pays(folding.network, arithmetic))
    network = _on_grid(classifier, arithmetic, folding, channels_last=channels_last).to(device)
    execution = _execution(arithmetic, folding, batch_size, torch.device(device), channels_last=channels_last)
    _check_type(classifier, network, execution)
    if not arithmetic.compiled:
        return PreparedClassifier(network, classifier.input_shape, execution)
    return _warmed_up(
        PreparedClassifier(compiled(network, torch.device(device)), classifier.input_shape, execution)
    )


def _checked(
    classifier: BaseClassifier, arithmetic: ExecutionArithmetic, batch_size: int, device: str
) -> PreparedClassifier:
    """Return the voters, with the comparison to the execution that they vote for."""
    voted_in: Dtype = "bfloat16"
    voter, certified = (
        assemble(classifier, arithmetic.model_copy(update={"dtype": dtype}), batch_size, device)
        for dtype in (voted_in, "float32")
    )
    execution = certified.execution.model_copy(update={"voted_in": voted_in})
    shape = classifier.input_shape
    comparison = PreparedClassifier(Comparison(voter, certified), shape, execution)
    return PreparedClassifier(voter, shape, execution, comparison)


def _pays(network: nn.Module, arithmetic: ExecutionArithmetic) -> bool:
    """Return whether channels last makes this network faster on a processor.

    A few convolutions alone, uncompiled and in float32, run a seventh faster in the layout that images have;
    measured on networks of 2, 20, 50 and 110 layers.
    """
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in network.modules())
    plain = arithmetic.dtype == "float32" and not arithmetic.compiled
    return convolutions > (FEW_CONVOLUTIONS if plain else 0)


def _on_grid(
    classifier: BaseClassifier, arithmetic: ExecutionArithmetic, folding: Folding, *, channels_last: bool
) -> OnGrid:
    dtype: torch.dtype = getattr(torch, arithmetic.dtype)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = folding.network
    if channels_last or dtype != torch.float32:
        network = _own(classifier, folding).to(dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
    return OnGrid(folding.first, network, classifier.input_shape, dtype, layout)


def _own(classifier: BaseClassifier, folding: Folding) -> nn.Module:
    """Return a network that may be changed: converting works in place."""
    try:
        return folding.network if folding.folded else deepcopy(folding.network)
    except TypeError as error:
        raise InvalidParameter(
            f"{classifier.name} runs in float32 and its own layout only ({error}); "
            "ask for float32, channels_last false.",
        ) from error


def _execution(
    arithmetic: ExecutionArithmetic,
    folding: Folding,
    batch_size: int,
    device: torch.device,
    *,
    channels_last: bool,
) -> Execution:
    return Execution(
        device=str(device),
        processor=_processor(device),
        dtype=arithmetic.dtype,
        normalisation_folded=folding.normalisation_folded,
        batch_norms_folded=folding.batch_norms_folded,
        batch_norms_left=folding.batch_norms_left,
        convolutions_fused=folding.convolutions_fused,
        convolutions_widened=folding.convolutions_widened,
        channels_last=channels_last,
        compiled=bool(arithmetic.compiled),
        tf32=arithmetic.tf32,
        deterministic=True,
        batch_size=batch_size,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return torch.backends.cpu.get_cpu_capability()


def _check_type(classifier: BaseClassifier, network: OnGrid, execution: Execution) -> None:
    """Refuse a classifier that would run in another type than its certificates say."""
    if execution.dtype == "float32":
        return
    row = torch.zeros(1, *classifier.input_shape, device=execution.device)
    try:
        with numerics(tf32=execution.tf32):
            dtype = network.raw(row).dtype
    except (RuntimeError, TypeError) as error:
        raise InvalidParameter(
            f"{classifier.name} does not run in {execution.dtype}: {error}. Ask for float32."
        ) from error
    if dtype != getattr(torch, execution.dtype):
        raise InvalidParameter(
            f"{classifier.name} returns {dtype} when it should run in {execution.dtype}, so it does not; "
            "ask for float32."
        )


def _warmed_up(prepared: PreparedClassifier) -> PreparedClassifier:
    """Compile now, rather than in the middle of a job."""
    try:
        prepared(prepared.buffer().zero_())
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, torch._dynamo.exc.FailOnRecompileLimitHit) as error:  # noqa: SLF001 - its only name
        raise ModelError(
            f"Compiling failed: {error}. A C++ compiler must be installed; or ask for compiled false."
        ) from error
    return prepared
