"""Preparing: types, switches, compiling, and an honest record of them."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn
from torch.backends import cudnn

from certd.errors import InvalidParameter
from certd.models import BaseClassifier
from certd.models.architectures import ARCHITECTURES
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare
from tests.unit.runtime_networks import ROWS, classify, conv, head, largest_difference, noisy, plain_logits

SHAPE = (3, 16, 16)
BFLOAT16 = ExecutionArithmetic(dtype="bfloat16")


class Stubborn(nn.Module):
    """Compute in float32 whatever it is given."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        return images.float().flatten(1)[:, :10]


class Uncopyable(Stubborn):
    """Hold what cannot be copied, as a session of another runtime does."""

    def __init__(self) -> None:
        super().__init__()
        self.session = sys

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, by a way no graph shows."""
        return torch.from_numpy(images.float().flatten(1)[:, :10].numpy())


class Watching(nn.Module):
    """Remember the switches under which it was last called."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        self.seen = (
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
            cudnn.allow_tf32,
            torch.is_inference_mode_enabled(),
        )
        return images.flatten(1)[:, :10]


def _switches() -> tuple[object, ...]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        cudnn.allow_tf32,
        torch.is_inference_mode_enabled(),
    )


def _watching() -> BaseClassifier:
    return BaseClassifier.from_module(Watching(), "watching", SHAPE, 10)


def test_the_record_says_what_was_done() -> None:
    """Everything that rounding depends on stands in the record, and the record is a value."""
    torch.manual_seed(1)
    classifier = classify(ARCHITECTURES["cifar-resnet20"](SHAPE, 10), SHAPE)
    execution = prepare(classifier, BFLOAT16, ROWS).execution
    assert execution.model_dump() == {
        "device": "cpu",
        "processor": torch.backends.cpu.get_cpu_capability(),
        "dtype": "bfloat16",
        "voted_in": None,
        "normalisation_folded": True,
        "batch_norms_folded": 19,
        "batch_norms_left": 0,
        "convolutions_fused": 0,
        "convolutions_widened": 0,
        "channels_last": True,
        "compiled": False,
        "tf32": False,
        "deterministic": True,
        "batch_size": ROWS,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def test_bfloat16_rounds_and_nothing_worse() -> None:
    """Logits in bfloat16 are float32, off by a rounding error of two to three digits, not by more."""
    torch.manual_seed(1)
    classifier = classify(ARCHITECTURES["cifar-resnet20"](SHAPE, 10), SHAPE)
    prepared, buffer = prepare(classifier, BFLOAT16, ROWS), noisy()
    assert prepared(buffer).dtype == torch.float32
    assert 1e-5 < largest_difference(prepared, classifier, buffer) < 0.05


@pytest.mark.parametrize("network", [Stubborn, Uncopyable])
def test_a_classifier_that_would_not_run_in_bfloat16_is_refused(network: type[nn.Module]) -> None:
    """No certificate may name a type that the classifier did not run in."""
    with pytest.raises(InvalidParameter, match="float32"):
        prepare(classify(network()), BFLOAT16, ROWS)


def test_a_classifier_of_another_runtime_runs_as_it_is() -> None:
    """What can neither be read nor copied is prepared in float32 all the same."""
    classifier = classify(Uncopyable())
    buffer = noisy()
    assert torch.equal(
        prepare(classifier, ExecutionArithmetic(), ROWS)(buffer), plain_logits(classifier, buffer)
    )


@pytest.mark.parametrize("tf32", [False, True])
def test_the_switches_are_set_for_the_call_and_given_back(*, tf32: bool) -> None:
    """A pass is deterministic, without gradients, in TF32 only if asked; then all is as before."""
    classifier, before = _watching(), _switches()
    prepared = prepare(classifier, ExecutionArithmetic(fold=False, tf32=tf32), ROWS)
    prepared(noisy())
    module = classifier.module
    assert isinstance(module, Watching)
    assert module.seen == (True, "high" if tf32 else "highest", tf32, True)
    assert _switches() == before


def test_the_switches_are_given_back_after_a_failure() -> None:
    """A classifier that raises leaves no trace in the process."""
    before = _switches()
    with pytest.raises(RuntimeError):
        prepare(_watching(), ExecutionArithmetic(), ROWS)(torch.empty(1, 5))
    assert _switches() == before


def test_a_buffer_is_one_batch() -> None:
    """The buffer has the shape that the record promises, and measuring it takes time."""
    prepared = prepare(classify(nn.Sequential(conv(), head())), ExecutionArithmetic(), 5)
    assert prepared.buffer().shape == (5, 768)
    assert prepared.buffer(torch.bfloat16).dtype == torch.bfloat16
    assert prepared.seconds_a_batch() > 0


def test_a_narrow_buffer_is_taken() -> None:
    """Values that bfloat16 holds exactly give the same logits from either buffer."""
    prepared = prepare(classify(nn.Sequential(conv(), head())), ExecutionArithmetic(), ROWS)
    exact = noisy().clamp(0, 255)
    assert torch.equal(prepared(exact), prepared(exact.bfloat16()))
