"""Folding: the same classifier, with fewer operations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from certd.models.architectures import ARCHITECTURES
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.normalisation import split_normalisation
from certd.models.runtime.prepare import prepare
from tests.unit.runtime_networks import (
    MEAN,
    ROWS,
    STD,
    classify,
    conv,
    head,
    largest_difference,
    noisy,
    plain_logits,
)

PLAIN = ExecutionArithmetic(fold=False, channels_last=False)
FOLDED = ExecutionArithmetic(channels_last=False)
TOLERANCE = 1e-4


@pytest.mark.parametrize("name", ["digits-cnn", "lenet", "cifar-resnet20", "cifar-resnet20-projection"])
def test_with_everything_off_logits_are_those_of_the_plain_classifier(name: str) -> None:
    """Nothing changes unless it is asked for: bit for bit."""
    classifier = classify(ARCHITECTURES[name]((3, 32, 32), 10), (3, 32, 32))
    buffer = noisy(classifier.input_shape)
    assert torch.equal(prepare(classifier, PLAIN, ROWS)(buffer), plain_logits(classifier, buffer))


@pytest.mark.parametrize(
    ("name", "batch_norms"),
    [("digits-cnn", 0), ("lenet", 0), ("cifar-resnet20", 19), ("cifar-resnet20-projection", 21)],
)
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_folded_classifier_votes_as_the_plain_one(
    name: str, batch_norms: int, *, channels_last: bool
) -> None:
    """Logits agree up to rounding, and the top class wherever its lead exceeds that."""
    torch.manual_seed(1)
    classifier = classify(ARCHITECTURES[name]((3, 32, 32), 10), (3, 32, 32))
    buffer = noisy(classifier.input_shape)
    prepared = prepare(classifier, ExecutionArithmetic(channels_last=channels_last), ROWS)
    assert (prepared.execution.batch_norms_folded, prepared.execution.batch_norms_left) == (batch_norms, 0)
    assert prepared.execution.normalisation_folded
    assert largest_difference(prepared, classifier, buffer) < TOLERANCE
    expected = plain_logits(classifier, buffer)
    best = expected.topk(2).values
    clear = best[:, 0] - best[:, 1] > 2 * TOLERANCE * expected.abs().max()
    assert torch.equal(prepared(buffer).argmax(1)[clear], expected.argmax(1)[clear])


def test_the_mean_is_not_folded_into_the_bias() -> None:
    """A padded border sees the mean, not what a bias would make of zeros: corners are right too."""
    layer = conv()
    classifier = classify(nn.Sequential(layer, nn.Flatten()))
    buffer = noisy()
    prepared = prepare(classifier, FOLDED, ROWS)
    expected = plain_logits(classifier, buffer)
    assert prepared.execution.normalisation_folded
    assert largest_difference(prepared, classifier, buffer) < TOLERANCE
    naive = _mean_in_bias(layer)(buffer.view(-1, 3, 16, 16) / 255).flatten(1)
    corner = (naive - expected).abs().view(ROWS, 4, 16, 16)
    assert corner[:, :, 1:-1, 1:-1].max() < TOLERANCE
    assert corner[:, :, 0, 0].max() > 0.1


def _mean_in_bias(layer: nn.Conv2d) -> nn.Conv2d:
    """Return the wrong folding, which many repositories use."""
    wrong = conv()
    mean, std = torch.tensor(MEAN).view(1, -1, 1, 1), torch.tensor(STD).view(1, -1, 1, 1)
    assert layer.bias is not None
    wrong.weight = nn.Parameter(layer.weight / std, requires_grad=False)
    wrong.bias = nn.Parameter(layer.bias - (wrong.weight * mean).sum((1, 2, 3)), requires_grad=False)
    return wrong


def test_a_dense_first_layer_takes_the_scale_of_each_channel() -> None:
    """Flattened images fold as well, each coordinate by its own channel's scale."""
    classifier = classify(nn.Sequential(nn.Flatten(), nn.Linear(768, 10)))
    prepared = prepare(classifier, FOLDED, ROWS)
    assert prepared.execution.normalisation_folded
    assert largest_difference(prepared, classifier, noisy()) < TOLERANCE


@pytest.mark.parametrize("fold", [False, True])
def test_preparing_leaves_the_classifier_as_it_is(*, fold: bool) -> None:
    """One module serves several executions: neither weights nor layers change, nor each other's logits."""
    classifier = classify(ARCHITECTURES["cifar-resnet20"]((3, 16, 16), 10))
    buffer, before = noisy(), {key: value.clone() for key, value in classifier.module.state_dict().items()}
    exact = prepare(classifier, ExecutionArithmetic(fold=fold), ROWS)
    logits = exact(buffer)
    prepare(classifier, ExecutionArithmetic(dtype="bfloat16", fold=fold), ROWS)(buffer)
    after = classifier.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert torch.equal(exact(buffer), logits)


def test_a_network_that_normalises_by_itself_is_folded_where_it_lies() -> None:
    """What stands before it is on its device; elsewhere the comparison would fail, and nothing be folded."""
    network = nn.Sequential(conv(), head()).to("meta")
    assert split_normalisation(network)[1].mean.device == torch.device("meta")
