"""The small network of provable l2 training: two strided convolutions and two dense layers."""

from __future__ import annotations

from torch import nn


class ConvexSmall(nn.Sequential):
    """A plain sequence, so that its state has the names ``0.weight`` to ``7.bias`` of the published files.

    Args:
        input_shape: Channel, height and width; height and width at least 4.
        num_classes: Number of logits.

    References:
        Wong, Schmidt, Metzen and Kolter (2018), arXiv:1805.12514, section 4 and appendix A.
    """

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int) -> None:
        channels, height, width = input_shape
        super().__init__(
            nn.Conv2d(channels, 16, kernel_size=4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * (height // 4) * (width // 4), 100),
            nn.ReLU(),
            nn.Linear(100, num_classes),
        )
