"""Who pays for a larger average: the difference of two runs split by how hard each image was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import ShapeMismatch
from certd.reports.printed import floored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EDGES = (0.0, 0.5, 0.75, 0.9, 0.99, 1.0)
EASY_FROM = 0.9


@dataclass(frozen=True, slots=True)
class HardnessBand:
    """The images whose label had a share of the baseline's draws in (``above``, ``up_to``].

    The first band holds share 0 too. ``difference`` sums over the bands to the difference of the two ACRs.

    Attributes:
        above: Lower end, in [0, 1).
        up_to: Upper end, in (0, 1].
        images: How many there are.
        certified_first: How many the baseline certifies for their label at radius 0.
        certified_second: How many the other run does.
        difference: What they add to the other run's ACR beyond the baseline's, input units.
    """

    above: float
    up_to: float
    images: int
    certified_first: int
    certified_second: int
    difference: float


def by_hardness(
    shares: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[HardnessBand, ...]:
    """Split the difference of two average certified radii by the baseline's k/n of the label.

    Args:
        shares: k/n of the label in the baseline, float64[image] in [0, 1].
        first: Radius where the baseline certifies the label, minus infinity elsewhere, float64[image].
        second: The same in the other run, over the same images.

    Raises:
        ShapeMismatch: If the runs are not over the same images.
    """
    if not len(shares) == len(first) == len(second):
        raise ShapeMismatch("Both runs must hold the same images, in the same order.")
    band_of = np.clip(np.searchsorted(EDGES, shares, side="left") - 1, 0, len(EDGES) - 2)
    return tuple(_band(i, band_of == i, first, second) for i in range(len(EDGES) - 1))


def hidden_trade(
    bands: Sequence[HardnessBand], averages: tuple[float, float], names: tuple[str, str]
) -> str | None:
    """Say that the run with the larger ACR certifies fewer images at radius 0, where it does.

    Args:
        bands: Of :func:`by_hardness`.
        averages: ACR of the baseline and of the other run, over these images.
        names: What the two are called.
    """
    images = sum(band.images for band in bands)
    certified = (sum(band.certified_first for band in bands), sum(band.certified_second for band in bands))
    gain, won = averages[1] - averages[0], certified[1] - certified[0]
    if gain * won >= 0:
        return None
    more = 1 if gain > 0 else 0
    easy = sum(band.difference for band in bands if band.above >= EASY_FROM)
    return (
        f"{names[more]} has the larger ACR, {floored(averages[more])} against {floored(averages[1 - more])}, "
        f"and certifies fewer images: {certified[more]} of {images} at radius 0, against "
        f"{certified[1 - more]}. Of the difference {gain:+.4f}, images above k / n = {EASY_FROM:g} in "
        f"{names[0]} bring {easy:+.4f} and all others {gain - easy:+.4f}. "
        "The larger average is not the better classifier."
    )


def _band(
    index: int, chosen: NDArray[np.bool_], first: NDArray[np.float64], second: NDArray[np.float64]
) -> HardnessBand:
    gain = np.maximum(second[chosen], 0.0) - np.maximum(first[chosen], 0.0)
    return HardnessBand(
        above=EDGES[index],
        up_to=EDGES[index + 1],
        images=int(chosen.sum()),
        certified_first=int((first[chosen] >= 0).sum()),
        certified_second=int((second[chosen] >= 0).sum()),
        difference=float(gain.sum() / len(first)),
    )
