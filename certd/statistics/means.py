"""Bound the mean of soft votes, scores in [0, 1] such as one class's softmax, from below.

Never feed a rounded sum of scores to Clopper-Pearson. Its guarantee is for counts of yes and no: a sum of
scores rounded to the nearest whole number can err with nearly twice alpha. Twenty scores that are a little
over 1/2 with probability 2p and 0 otherwise have mean p, yet their rounded sum reaches 1 nearly twice as
often as that of twenty coins of bias p. Either use a bound for means, or turn each score into one honest vote
by :func:`thin` and count those.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.statistics.clopper_pearson import clopper_pearson_lower
from certd.statistics.domain import require_count, require_inside, require_within

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDING = 1e-9
CUT = 2.0**-32
"""What each score, and each square, may have lost before it was added up."""


def hoeffding_lower(total: float, draws: int, alpha: float) -> float:
    """Bound a mean from below, from the sum alone.

    With probability at least ``1 - alpha`` the mean of the scores' law is no smaller than
    ``total / draws - sqrt(ln(1 / alpha) / (2 draws))``.

    Args:
        total: Sum of independent scores in [0, 1], accurate to one part in 1e9.
        draws: Number of scores, at least 1, fixed before the first.
        alpha: Failure probability, in (0, 1).

    Returns:
        The bound, in [0, 1); never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Hoeffding (1963), JASA 58, theorem 1.
    """
    _check(total, draws, alpha)
    width = math.sqrt(-math.log(alpha) / (2 * draws))
    return _below(total / draws, width)


def empirical_bernstein_lower(total: float, squares: float, draws: int, alpha: float) -> float:
    """Bound a mean from below, closer than Hoeffding where the scores hardly vary.

    With probability at least ``1 - alpha`` the mean is no smaller than
    ``total / n - sqrt(2 V ln(2/alpha) / n) - 7 ln(2/alpha) / (3 (n - 1))``, V the unbiased sample variance.

    Args:
        total: Sum of independent scores in [0, 1], accurate to one part in 1e9 after each was cut down by
            less than 2**-32.
        squares: Sum of their squares, likewise.
        draws: Number of scores n, at least 2, fixed before the first.
        alpha: Failure probability, in (0, 1).

    Returns:
        The bound, in [0, 1); never rounded up: the variance is raised by the error its two sums may carry.
        Let T and R be the sums of the scores and of their squares, and S <= T and Q >= R - n 2**-32 what is
        left of them after each was cut. Then ``R - T**2 / n <= Q - S**2 / n + n 2**-32``: so much scatter may
        be missing, and scores that hardly vary may seem to vary by less than nothing. Twice the cut covers
        its products with the sums' own error.

    Raises:
        InvalidParameter: If an argument lies outside its domain, or the two sums contradict each other.

    References:
        Maurer and Pontil (2009), arXiv:0907.3740, theorem 4.
    """
    _check(total, draws, alpha, least=2)
    slack = 4 * ROUNDING * squares + 2 * CUT * draws
    scatter = squares - total * total / draws
    if squares > total * (1 + ROUNDING) + ROUNDING or scatter < -slack:
        raise InvalidParameter("No scores in [0, 1] have this sum and this sum of squares.")
    variance = (max(scatter, 0.0) + slack) / (draws - 1)
    log = math.log(2 / alpha)
    return _below(total / draws, math.sqrt(2 * variance * log / draws) + 7 * log / (3 * (draws - 1)))


def thin(
    scores: NDArray[np.floating], uniforms: NDArray[np.float64], uniform_bits: int = 53
) -> NDArray[np.bool_]:
    """Turn each soft score into one yes-or-no vote of the same mean.

    Given the score s, the vote is yes with probability s, rounded *down* to the uniforms' grid, so a lower
    bound on the votes' mean is one on the scores'. The uniforms must be independent of the scores and
    reproducible; draw them from the job's counter-based stream, never afresh until the count pleases.

    Args:
        scores: Scores in [0, 1], any shape.
        uniforms: One number a score, same shape, uniform over the multiples of ``2**-uniform_bits``.
        uniform_bits: Resolution of the uniforms, 1 to 53; doubles of numpy's generators have 53.

    Returns:
        The votes, of the same shape.

    Raises:
        InvalidParameter: If a score or uniform is out of range, or the shapes differ.
    """
    require_count("uniform_bits", uniform_bits, most=53)
    if scores.shape != uniforms.shape:
        raise InvalidParameter(f"thin needs one uniform a score: {scores.shape} against {uniforms.shape}.")
    require_within("scores", scores.ravel(), 0, 1)
    require_within("uniforms", uniforms.ravel(), 0, 1 - 2.0**-uniform_bits)
    votes: NDArray[np.bool_] = uniforms + 2.0**-uniform_bits <= scores.astype(np.float64)
    return votes


def thinned_lower(yes_votes: int, draws: int, alpha: float) -> float:
    """Bound a mean from below by Clopper-Pearson on votes made by :func:`thin`.

    With probability at least ``1 - alpha`` over the scores and the uniforms together, the mean of the scores'
    law is no smaller than the result.

    Args:
        yes_votes: Votes that came out yes, in ``[0, draws]``.
        draws: Independent scores, each thinned once, at least 1.
        alpha: Failure probability, in (0, 1).

    Returns:
        The bound, in [0, 1); never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    return clopper_pearson_lower(yes_votes, draws, alpha)


def _check(total: float, draws: int, alpha: float, least: int = 1) -> None:
    require_inside("alpha", alpha)
    require_count("draws", draws, least=least)
    if not 0.0 <= total <= draws * (1 + ROUNDING):
        raise InvalidParameter(f"Scores in [0, 1] cannot sum to {total!r} over {draws} draws.")


def _below(mean: float, width: float) -> float:
    return max(0.0, mean * (1 - 2 * ROUNDING) - width * (1 + ROUNDING))
