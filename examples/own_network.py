"""Certify a network of your own: any ``torch.nn.Module`` that maps images to logits.

The one here needs no training: it answers with the digit whose mean image is nearest. With ``--onnx FILE`` it
is also written as a graph that ``certd models register`` takes, for a service serves only what is registered.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import torch
from torch import nn

import certd
from certd.datasets import load_dataset
from certd.datasets.digits import training_digits
from certd.models import BaseClassifier
from certd.statistics import floor_to

SHAPE, CLASSES = (1, 8, 8), 10


class NearestMean(nn.Module):
    """Logits are minus the squared distances to the mean image of each class.

    Args:
        means: ``[class, pixel]``, pixels in [0, 1].
    """

    def __init__(self, means: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("means", means)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` for ``[image, channel, height, width]``, pixels in [0, 1]."""
        means = self.get_buffer("means")
        return images.flatten(1) @ (2 * means.T) - means.square().sum(1)


def mean_digits() -> torch.Tensor:
    """Return the mean image of each digit, ``[class, pixel]``, over the images that are not held out."""
    digits = training_digits()
    pixels = torch.from_numpy(digits.images).flatten(1).float() / 255
    labels = torch.from_numpy(digits.labels)
    return torch.stack([pixels[labels == digit].mean(0) for digit in range(CLASSES)])


def write_onnx(network: nn.Module, file: Path) -> None:
    """Write the network as an ONNX graph for batches of any size."""
    with warnings.catch_warnings():
        # The other exporter needs one package more, and writes the same graph of so few operations.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (torch.zeros(1, *SHAPE),),
            file,
            dynamo=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
        )


def main() -> None:
    """Certify fifty digits and print what was proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", type=Path, help="also write the network here")
    file = parser.parse_args().onnx
    network = NearestMean(mean_digits())
    classifier = BaseClassifier.from_module(network, "nearest-mean", SHAPE, CLASSES)
    run = certd.certify(classifier, load_dataset("digits").select(limit=50), sigma=0.25, n=10_000, seed=1)
    print(f"certified accuracy at 0, .25, .5: {run.certified_accuracy([0, 0.25, 0.5])}")
    print(f"average certified radius: {floor_to(run.acr, 4)} at sigma = .25, n = 10,000, alpha = .001")
    print(f"of {classifier.reference[:32]}...")
    if file is not None:
        write_onnx(network, file)


if __name__ == "__main__":
    main()
