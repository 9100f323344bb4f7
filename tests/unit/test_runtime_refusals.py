"""What is not folded: everything whose folding would be another function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import assemble
from tests.unit.runtime_networks import ROWS, classify, conv, head, largest_difference, noisy, plain_logits

if TYPE_CHECKING:
    from certd.models.runtime.arithmetic import Execution

FOLDED = ExecutionArithmetic(channels_last=False)
TOLERANCE = 1e-4


class SharedConvolution(nn.Module):
    """Apply one convolution twice, with a batch-norm after the second time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = conv(3, 3), nn.BatchNorm2d(3), head(3)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.norm(self.conv(self.conv(images))))
        return logits


class SharedNorm(nn.Module):
    """Apply one batch-norm after two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.norm, self.head = conv(3, 4), conv(4, 4), nn.BatchNorm2d(4), head()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.norm(self.second(self.norm(self.first(images)))))
        return logits


class ReadTwice(nn.Module):
    """Add a convolution's output to what a batch-norm makes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = conv(), nn.BatchNorm2d(4), head()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        features = self.conv(images)
        logits: Tensor = self.head(features + self.norm(features))
        return logits


class ReadsImagesTwice(nn.Module):
    """Use the images beside the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = conv(3, 3), head(3)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.conv(images) + images)
        return logits


class LooksAtNumbers(nn.Module):
    """Branch on the images' values, which no graph shows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = conv(), nn.BatchNorm2d(4), head()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        features = self.norm(self.conv(images))
        logits: Tensor = self.head(features if float(images.mean()) > 0 else -features)
        return logits


class Misleading(LooksAtNumbers):
    """Answer otherwise to stand-ins for tensors than to tensors, so that its graph is wrong."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        features = self.norm(self.conv(images))
        logits: Tensor = self.head(features if isinstance(images, Tensor) else -features)
        return logits


class Doubled(nn.Conv2d):
    """A convolution that returns twice what its weights say."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in the class it replaces
        """Return twice the convolution."""
        return 2 * super().forward(input)


def _without_statistics() -> nn.Module:
    return nn.Sequential(conv(), nn.BatchNorm2d(4, track_running_stats=False), head())


def _after_activation() -> nn.Module:
    return nn.Sequential(conv(), nn.ReLU(), nn.BatchNorm2d(4), head())


def _before_convolution() -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(3), conv(), head())


def _subclass() -> nn.Module:
    return nn.Sequential(Doubled(3, 4, 3, padding=1), nn.BatchNorm2d(4), head())


def _parametrised() -> nn.Module:
    layer = nn.utils.parametrizations.weight_norm(conv())
    return nn.Sequential(layer, nn.BatchNorm2d(4), head())


def _execution(network: nn.Module) -> Execution:
    """Prepare ``network``, check that it still computes what it did, and return the record."""
    classifier = classify(network)
    prepared = assemble(classifier, FOLDED, ROWS)
    assert largest_difference(prepared, classifier, noisy()) < TOLERANCE
    return prepared.execution


@pytest.mark.parametrize(
    "make",
    [
        SharedConvolution,
        SharedNorm,
        ReadTwice,
        _without_statistics,
        _after_activation,
        _before_convolution,
        _subclass,
        _parametrised,
    ],
)
def test_a_batch_norm_that_cannot_be_folded_exactly_stays(make: type[nn.Module]) -> None:
    """Shared layers, second readers, batch statistics, other neighbours, subclasses: left and counted."""
    execution = _execution(make())
    assert (execution.batch_norms_folded, execution.batch_norms_left) == (0, 1)


@pytest.mark.parametrize(
    "make", [ReadsImagesTwice, _before_convolution, lambda: nn.Sequential(nn.ReLU(), conv(), head())]
)
def test_the_scale_stays_where_the_first_layer_is_not_the_only_reader(make: type[nn.Module]) -> None:
    """Only a convolution or dense layer that alone reads the images takes the scale in."""
    assert not _execution(make()).normalisation_folded


def test_the_scale_stays_before_a_grouped_convolution() -> None:
    """A grouped convolution's weights are not indexed by the input's channel."""
    network = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, groups=3), nn.BatchNorm2d(6), head(6))
    execution = _execution(network)
    assert not execution.normalisation_folded
    assert execution.batch_norms_folded == 1


@pytest.mark.parametrize("make", [ReadTwice, SharedNorm, _without_statistics, _after_activation])
def test_what_cannot_be_folded_does_not_keep_the_rest_from_it(make: type[nn.Module]) -> None:
    """Beside a batch-norm that must stay, the scale still goes into the first layer."""
    assert _execution(make()).normalisation_folded


@pytest.mark.parametrize("network", [LooksAtNumbers, Misleading])
def test_a_network_whose_graph_is_missing_or_wrong_is_left_alone(network: type[nn.Module]) -> None:
    """Folding is checked against the network itself; where it fails, the bits are the plain classifier's."""
    classifier = classify(network())
    prepared, buffer = assemble(classifier, FOLDED, ROWS), noisy()
    assert torch.equal(prepared(buffer), plain_logits(classifier, buffer))
    execution = prepared.execution
    assert (execution.batch_norms_folded, execution.batch_norms_left) == (0, 1)
    assert not execution.normalisation_folded


def test_a_batch_norm_over_another_axis_than_the_dense_layers_is_not_folded() -> None:
    """After a dense layer on sequences a batch-norm runs over the wrong axis, even where sizes agree."""
    network = nn.Sequential(
        nn.Flatten(2), nn.Linear(256, 3), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(9, 10)
    )
    norm = network[2]
    assert isinstance(norm, nn.BatchNorm1d)
    norm.get_buffer("running_var").copy_(torch.tensor([0.1, 1.0, 10.0]))
    assert _execution(network).batch_norms_left == 1
