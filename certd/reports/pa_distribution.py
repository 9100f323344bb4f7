"""The pA distribution: the main report, since an average hides which images are hard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def quantiles(shares: NDArray[np.float64]) -> dict[str, float]:
    """Return the quantiles of k/n over the images; each is the share of an actual image, rounded down to one.

    Args:
        shares: k/n, float64[image] in [0, 1].

    References:
        arXiv:2410.06895, which proposes the distribution of pA in place of the average certified radius.
    """
    values = np.quantile(shares, QUANTILES, method="lower")
    return {f"{q:g}": float(value) for q, value in zip(QUANTILES, values, strict=True)}
