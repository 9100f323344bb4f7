"""Networks are those of the papers: their sizes, the names of their weights, their shortcuts."""

from __future__ import annotations

import pytest
import torch

from certd.models.architectures import ARCHITECTURES, CifarResNet, ProjectionResNet
from certd.models.architectures.cifar_resnet import PaddedBlock

pytestmark = pytest.mark.slow

CIFAR, MNIST, IMAGENET = (3, 32, 32), (1, 28, 28), (3, 224, 224)
INPUT_SHAPES = {"digits-cnn": (1, 8, 8), "lenet": MNIST, "resnet50": IMAGENET}


@pytest.mark.parametrize(
    ("architecture", "input_shape", "num_classes", "weights"),
    [
        ("cifar-resnet20", CIFAR, 10, 269_722),
        ("cifar-resnet110", CIFAR, 10, 1_727_962),
        ("cifar-resnet110-projection", CIFAR, 10, 1_730_714),
        ("wide-resnet28-10", CIFAR, 10, 36_479_194),
        ("resnet50", IMAGENET, 1000, 25_557_032),
        ("lenet", MNIST, 10, 431_080),
        ("convex-small", CIFAR, 10, 214_918),
        ("convex-small", MNIST, 10, 166_406),
    ],
)
def test_networks_have_the_published_number_of_weights(
    architecture: str, input_shape: tuple[int, int, int], num_classes: int, weights: int
) -> None:
    """The count is that of the published network, to the last weight."""
    with torch.device("meta"):
        network = ARCHITECTURES[architecture](input_shape, num_classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == weights


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_gives_one_logit_a_class(architecture: str) -> None:
    """Images of the usual shape become ``[image, class]``; shapes are followed without arithmetic."""
    shape = INPUT_SHAPES.get(architecture, CIFAR)
    with torch.device("meta"):
        network = ARCHITECTURES[architecture](shape, 7).eval()
        assert network(torch.zeros(2, *shape)).shape == (2, 7)


def test_shortcuts_without_weights_subsample_and_pad_with_zeros() -> None:
    """Option A: every second pixel, old channels in the middle of the new ones, zeros around them."""
    block = PaddedBlock(2, 4).eval()
    torch.nn.init.zeros_(block.bn2.weight)
    features = torch.arange(1.0, 33.0).view(1, 2, 4, 4)
    output = block(features)
    assert torch.equal(output[:, 1:3], features[:, :, ::2, ::2])
    assert not output[:, [0, 3]].any()


def test_the_two_networks_called_cifar_resnet_differ_in_the_names_of_their_weights() -> None:
    """One ends in ``linear`` and has no projections; the other ends in ``fc`` and has two."""
    padded, projected = (
        network(CIFAR, 10, depth=20).state_dict() for network in (CifarResNet, ProjectionResNet)
    )
    assert "linear.weight" in padded
    assert not any("downsample" in key for key in padded)
    assert "fc.weight" in projected
    projections = {key for key in projected if key.endswith("downsample.0.weight")}
    assert projections == {"layer2.0.downsample.0.weight", "layer3.0.downsample.0.weight"}


@pytest.mark.parametrize(
    ("architecture", "keys"),
    [
        ("cifar-resnet110-projection", {"conv1.weight", "layer3.17.bn2.bias", "layer2.0.downsample.1.bias"}),
        ("resnet50", {"layer1.0.downsample.0.weight", "layer4.2.conv3.weight", "layer3.5.bn3.running_var"}),
        ("wide-resnet28-10", {"block1.layer.0.convShortcut.weight", "block3.layer.3.bn2.weight", "bn1.bias"}),
        ("lenet", {"conv1.weight", "conv2.bias", "fc1.weight", "fc2.bias"}),
        ("convex-small", {"0.weight", "2.bias", "5.weight", "7.bias"}),
    ],
)  # fmt: skip
def test_weights_have_the_names_of_the_published_files(architecture: str, keys: set[str]) -> None:
    """Files of the literature fit without a table of translations."""
    with torch.device("meta"):
        network = ARCHITECTURES[architecture](INPUT_SHAPES.get(architecture, CIFAR), 10)
    assert keys <= network.state_dict().keys()
