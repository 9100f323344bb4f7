"""Say what holds for many certificates at once, each false with probability at most alpha.

Where a function assumes independent noise across images its docstring says so; one noise tensor shared by all
images makes their errors common, and then only the statements free of that assumption remain.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc

from certd.errors import InvalidParameter
from certd.statistics.domain import require_count, require_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAFETY = 1e-9


def bonferroni_alpha(alpha: float, m: int) -> float:
    """Return the failure probability an image may have if all of ``m`` certificates are to hold together.

    Certificates made at it all hold with probability at least ``1 - alpha``, however the noise is shared.

    Args:
        alpha: Probability that any certificate is false, in (0, 1).
        m: Images, at least 1, counting those that abstain.

    Returns:
        ``alpha / m``, never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    require_inside("alpha", alpha)
    require_count("m", m)
    return math.nextafter(alpha / m, 0.0)


def holm(
    successes: NDArray[np.integer],
    trials: int | NDArray[np.integer],
    p0: float,
    alpha: float,
    weights: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Return which images are certified at one declared radius such that all of them hold together.

    With probability at least ``1 - alpha`` every image marked true has a class probability of at least p0.
    It marks all that Bonferroni marks and often more, and it needs no independence. Classes must have been
    chosen without these draws, and each image's number of draws fixed beforehand.

    Args:
        successes: Hits of each image's class, int[image].
        trials: Draws of each image, at least 1; one number or int[image].
        p0: Probability that the radius needs, ``Phi(r / sigma)`` rounded up, in (0, 1).
        alpha: Probability that any marked image is false, in (0, 1).
        weights: Images with each entry's counts, int64, at least 0; None for one each.

    Returns:
        One truth value an entry. Each p-value ``P(Bin(n, p0) >= S)`` is rounded up by a part in 1e9.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Holm (1979), Scandinavian Journal of Statistics 6.
    """
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 - slow to import

    require_inside("alpha", alpha)
    require_inside("p0", p0)
    hits, draws = np.broadcast_arrays(np.asarray(successes), np.asarray(trials))
    if hits.ndim != 1 or hits.size == 0 or np.any((hits < 0) | (hits > draws) | (draws < 1)):
        raise InvalidParameter("holm needs one count an image, each from 0 to its number of draws.")
    tails = np.where(hits > 0, betainc(np.maximum(hits, 1), draws - hits + 1, p0), 1.0)
    p_values = np.minimum(tails * (1 + SAFETY), 1)
    if weights is not None:
        return _holm_of_groups(p_values, alpha, weights)
    marked: NDArray[np.bool_] = multipletests(p_values, alpha, method="holm")[0]
    return marked


def _holm_of_groups(
    p_values: NDArray[np.float64], alpha: float, weights: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Step down over groups of equal p-values; the first of a group meets its strictest threshold."""
    order = np.argsort(p_values, kind="stable")
    before = np.cumsum(weights[order]) - weights[order]
    left = np.maximum(weights.sum() - before, 1)
    passed = np.minimum.accumulate(p_values[order] <= alpha / left)
    marked = np.zeros(len(p_values), np.bool_)
    marked[order] = passed
    return marked


def any_false_probability(m: int, alpha: float) -> float:
    """Bound the probability that at least one of ``m`` certificates is false.

    It assumes independent noise across images; without it the bound is ``min(1, m alpha)``.

    Args:
        m: Images, at least 1, counting those that abstain.
        alpha: Failure probability of each certificate, in (0, 1).

    Returns:
        ``1 - (1 - alpha)**m``, in (0, 1]; never rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    require_inside("alpha", alpha)
    require_count("m", m)
    return min(1.0, -math.expm1(m * math.log1p(-alpha)) * (1 + SAFETY))


def false_certificates_quantile(m: int, alpha: float, probability: float = 0.999) -> int:
    """Bound how many of ``m`` certificates are false.

    With the given probability at least, no more than the result are, whichever images and radii they are for:
    their number is stochastically no larger than Bin(m, alpha). It assumes independent noise across images.

    Args:
        m: Images, at least 1, counting those that abstain.
        alpha: Failure probability of each certificate, in (0, 1).
        probability: Probability with which the bound holds, in (0, 1).

    Returns:
        The quantile, in ``[0, m]``; one more wherever rounding leaves a doubt.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    require_inside("alpha", alpha)
    require_inside("probability", probability)
    require_count("m", m)
    quantile = int(binom.ppf(probability, m, alpha))
    doubtful = binom.sf(quantile, m, alpha) * (1 + SAFETY) > 1 - probability
    return min(m, quantile + int(doubtful))
