"""Convolutions that end with their ReLU: the same function, and only where it is the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from certd.models.architectures import ARCHITECTURES
from certd.models.runtime.epilogues import FusedConvolution
from certd.models.runtime.fold import Folding, fold
from certd.models.runtime.normalisation import LEVELS
from certd.models.runtime.widening import narrow_again, widen, widened_weight, worth_widening
from tests.unit.runtime_networks import ROWS, classify, conv, head, noisy

SHAPE = (3, 16, 16)


def _difference(folding: Folding, module: nn.Module) -> float:
    """Return the largest difference from the plain classifier, relative to the largest logit."""
    levels = noisy(SHAPE).view(ROWS, *SHAPE)
    with torch.inference_mode():
        expected = module(levels / LEVELS)
        found = folding.network(folding.first(levels))
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", ["cifar-resnet20", "cifar-resnet20-projection"])
def test_a_residual_network_is_fused_whole(name: str) -> None:
    """Every 3 x 3 convolution ends with its ReLU; the narrow ones see pixels together; logits stay."""
    torch.manual_seed(1)
    classifier = classify(ARCHITECTURES[name](SHAPE, 10), SHAPE)
    folding = fold(classifier, fuse=True)
    assert (folding.convolutions_fused, folding.convolutions_widened) == (19, 11)
    assert _difference(folding, classifier.module) < 1e-5
    assert not any(node.target == "relu" for node in folding.network.graph.nodes)  # type: ignore[union-attr]


def test_nothing_is_fused_unless_asked() -> None:
    """Processors have no such kernels; there the layers stay apart."""
    folding = fold(classify(ARCHITECTURES["cifar-resnet20"](SHAPE, 10), SHAPE))
    assert (folding.convolutions_fused, folding.convolutions_widened) == (0, 0)


class Forked(nn.Module):
    """Two convolutions joined in a way that ``join`` tells, one of them read twice."""

    def __init__(self, join: str) -> None:
        super().__init__()
        self.one, self.two, self.head = conv(), conv(4), head()
        self._join = join

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        one = self.one(images)
        two = self.two(one)
        match self._join:
            case "overwriting what is read again":
                sums = one.add_(two).relu() + one
            case "scaled":
                sums = torch.add(two, one, alpha=2).relu()
            case "of another shape":
                sums = (two + one.mean((2, 3), keepdim=True)).relu()
            case "by another function":
                sums = functional.gelu(two + one)
            case _:
                sums = (two + two).relu()
        logits: Tensor = self.head(sums)
        return logits


@pytest.mark.parametrize(
    "join", ["overwriting what is read again", "scaled", "of another shape", "by another function", "twice"]
)
def test_what_is_not_a_sum_and_a_relu_stays_as_it_is(join: str) -> None:
    """A near miss would certify another function: none of these is fused, and logits stay."""
    torch.manual_seed(2)
    classifier = classify(Forked(join))
    folding = fold(classifier, fuse=True)
    assert folding.convolutions_fused == 0
    assert _difference(folding, classifier.module) < 1e-5


def test_a_layer_called_relu_that_is_none_is_not_taken_for_one() -> None:
    """Names are the author's; types are what is computed."""
    network = nn.Sequential()
    network.add_module("conv", conv())
    network.add_module("relu", nn.GELU())
    network.add_module("head", head())
    assert fold(classify(network), fuse=True).convolutions_fused == 0


@pytest.mark.parametrize(("channels", "factor"), [(32, 2), (16, 4)])
@pytest.mark.parametrize("size", [3, 5])
def test_a_widened_convolution_is_the_narrow_one(channels: int, factor: int, size: int) -> None:
    """To the last bit of what float64 rounds, borders included."""
    layer = nn.Conv2d(channels, channels, size, padding=size // 2).double()
    features = torch.randn(2, channels, 6, 16, dtype=torch.float64)
    assert worth_widening(layer, 16) == factor
    wide = functional.conv2d(
        widen(features, factor), widened_weight(layer.weight, factor), padding=(size // 2, 1)
    )
    assert layer.bias is not None
    expected = layer(features) - layer.bias.view(-1, 1, 1)
    assert torch.allclose(narrow_again(wide, factor), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(16, 16, 3, padding=1, stride=2),
        nn.Conv2d(16, 16, 3, padding=0),
        nn.Conv2d(16, 16, 1),
        nn.Conv2d(16, 16, 3, padding=1, groups=2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.Conv2d(12, 12, 3, padding=1),
    ],
)
def test_other_convolutions_are_not_widened(layer: nn.Conv2d) -> None:
    """Strides, other reaches, groups and wide layers keep their pixels."""
    assert worth_widening(layer, 16) == 1


def test_a_row_that_does_not_divide_is_not_widened() -> None:
    """Pixels that are seen as one must fill a row."""
    assert worth_widening(conv(16, 16), 18) == 1


@pytest.mark.slow
def test_compiled_it_is_what_it_is_alone() -> None:
    """The compiler takes the layer as one, in the layout that it promises."""
    torch.manual_seed(3)
    fused = FusedConvolution(conv(16, 16), 8)
    features = torch.randn(2, 16, 8, 8).to(memory_format=torch.channels_last)
    whole = torch.compile(lambda inputs, residual: fused(inputs + 1, residual) * 2, dynamic=False)
    with torch.no_grad():
        assert torch.allclose(whole(features, features), fused(features + 1, features) * 2, atol=1e-6)


class Held(nn.Module):
    """A dense layer whose weights are no parameters, or a sum that has none."""

    def __init__(self, *, weighted: bool) -> None:
        super().__init__()
        self.register_buffer("places", torch.arange(10))
        if weighted:
            self.register_buffer("weights", torch.ones(10, 768))
        self._weighted = weighted

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        rows = images.flatten(1)
        return rows @ self.get_buffer("weights").t() if self._weighted else rows[:, :10]


@pytest.mark.parametrize("weighted", [True, False])
def test_a_network_without_parameters_is_left_as_it_is(*, weighted: bool) -> None:
    """Its buffers say in which type to ask for shapes; with none of them any type will do."""
    assert fold(classify(Held(weighted=weighted)), fuse=True).convolutions_fused == 0
