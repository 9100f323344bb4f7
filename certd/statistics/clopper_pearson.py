"""Bound a probability from a count, and turn the bound into a certified radius; every rounding is safe.

A float can stand on the wrong side of the number it approximates, and library inverses miss by far more than
a unit in the last place when draws are many. Four precautions together keep every result on the safe side:

- of p and 1 - p the one below one half is solved for, so neither loses its digits near one;
- the library's root is only a start for a Newton step on the tail itself;
- the equation is solved at ``alpha * (1 - 1e-9 - n * 2**-52)`` and its root moved one float outwards. The
  library's tail rounds 1 - p, an error of 2**-54 that the n-th power makes n * 2**-53 at most.

A radius rests on the upper bound of the *failure* probability 1 - pA, which keeps its digits near pA = 1.

References:
    Clopper and Pearson (1934), Biometrika 26; Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betainccinv, betaincinv, betaln, ndtri, xlog1py, xlogy

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable

SAFETY = 1e-9
TAIL_ERROR_PER_TRIAL = 2**-52
MAX_TRIALS = 2**31
MAX_TABLE_TRIALS = 10**7
BISECTIONS = 90

Counts: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.float64]


@overload
def clopper_pearson_lower(successes: int, trials: int, alpha: float) -> float: ...
@overload
def clopper_pearson_lower(successes: Counts, trials: int | Counts, alpha: float | Floats) -> Floats: ...
def clopper_pearson_lower(
    successes: int | Counts, trials: int | Counts, alpha: float | Floats
) -> float | Floats:
    """Bound a Bernoulli parameter from below.

    With probability at least ``1 - alpha`` over the draws the parameter is no smaller than the result.
    One-sided: the whole of ``alpha`` is spent on the lower tail. Scalars give a float; arrays are broadcast.

    Args:
        successes: Draws that came up true, in ``[0, trials]``.
        trials: Independent draws, in ``[1, 2**31]``.
        alpha: Failure probability, in the open interval ``(0, 1)``.

    Returns:
        The bound, in ``[0, 1)``; 0 when ``successes`` is 0. Never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Clopper and Pearson (1934); Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, algorithm CERTIFY.
    """
    k, n, a = _checked(successes, trials, alpha)
    bound = np.zeros(k.shape)
    low = (k > 0) & (betainc(np.maximum(k, 1), n - k + 1, 0.5) >= a)
    high = (k > 0) & ~low
    bound[low] = _lower_root(k[low], n[low], a[low])
    bound[high] = np.nextafter(1 - _upper_root((n - k)[high], n[high], a[high]), 0)
    return bound if bound.ndim else float(bound)


@overload
def clopper_pearson_upper(successes: int, trials: int, alpha: float) -> float: ...
@overload
def clopper_pearson_upper(successes: Counts, trials: int | Counts, alpha: float | Floats) -> Floats: ...
def clopper_pearson_upper(
    successes: int | Counts, trials: int | Counts, alpha: float | Floats
) -> float | Floats:
    """Bound a Bernoulli parameter from above; the mirror image of the lower bound.

    With probability at least ``1 - alpha`` over the draws the parameter is no larger than the result. Called
    with the failures of a class it bounds 1 - pA to full relative precision, however close pA is to one.

    Args:
        successes: Draws that came up true, in ``[0, trials]``.
        trials: Independent draws, in ``[1, 2**31]``.
        alpha: Failure probability, in the open interval ``(0, 1)``.

    Returns:
        The bound, in ``(0, 1]``; 1 when every draw came up true. Never rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    k, n, a = _checked(successes, trials, alpha)
    bound = np.ones(k.shape)
    low = (k < n) & (betaincc(k + 1, np.maximum(n - k, 1), 0.5) <= a)
    high = (k < n) & ~low
    bound[low] = _upper_root(k[low], n[low], a[low])
    bound[high] = np.nextafter(1 - _lower_root((n - k)[high], n[high], a[high]), 1)
    return bound if bound.ndim else float(bound)


@lru_cache(maxsize=16)
def lower_bounds_table(trials: int, alpha: float) -> Floats:
    """Tabulate the lower bound of every count, to be gathered from: ``table[counts]``.

    Args:
        trials: Independent draws n, in ``[1, 10**7]``.
        alpha: Failure probability, in ``(0, 1)``.

    Returns:
        Read-only float64[n + 1], rising; entry k equals ``clopper_pearson_lower(k, trials, alpha)``.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    if not 1 <= trials <= MAX_TABLE_TRIALS:
        raise InvalidParameter(f"A table of bounds needs trials in [1, {MAX_TABLE_TRIALS}]; got {trials}.")
    table = clopper_pearson_lower(np.arange(trials + 1), trials, alpha)
    table.flags.writeable = False
    return table


def least_certifying_count(trials: int, alpha: float, probability: float = 0.5) -> int | None:
    """Return the smallest count whose lower bound exceeds a probability, k* in the reports.

    For a radius r pass Phi(r / sigma) rounded up; comparing printed radii instead would certify too much.

    Args:
        trials: Independent draws n, in ``[1, 2**31]``.
        alpha: Failure probability, in ``(0, 1)``.
        probability: The bound to exceed, in ``[0, 1]``.

    Returns:
        The count, in ``[1, n]``, or None when even n hits of n do not reach it.
    """
    if not 0 <= probability <= 1:
        raise InvalidParameter(f"A probability lies in [0, 1]; got {probability}.")
    count = bisect_right(
        range(trials + 1), probability, key=lambda k: clopper_pearson_lower(k, trials, alpha)
    )
    return count if count <= trials else None


def certified_radius_factor(failure: float | Floats) -> float | Floats:
    """Return the certified l2 radius in units of sigma under Gaussian noise, z = -Phi^-1(1 - pA).

    Takes 1 - pA, because Phi^-1(pA) is wrong in the sixth digit once 1 - pA is about 1e-12.

    Args:
        failure: Upper bound on 1 - pA, in ``(0, 1]``.

    Returns:
        The factor, at least 0; 0, an abstention, unless ``failure`` is below 1/2. Never rounded up.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, theorem 1 with pB = 1 - pA.
    """
    bound = np.asarray(failure, dtype=np.float64)
    if not ((bound > 0) & (bound <= 1)).all():
        raise InvalidParameter("A bound on the failure probability 1 - pA lies in (0, 1].")
    factor = np.maximum(-ndtri(np.minimum(bound, 0.5)) * (1 - SAFETY), 0.0)
    return factor if factor.ndim else float(factor)


@overload
def gaussian_radius(successes: int, trials: int, alpha: float, sigma: float, slack: float = 0.0) -> float: ...
@overload
def gaussian_radius(
    successes: Counts, trials: int | Counts, alpha: float | Floats, sigma: float, slack: float = 0.0
) -> Floats: ...
def gaussian_radius(
    successes: int | Counts,
    trials: int | Counts,
    alpha: float | Floats,
    sigma: float,
    slack: float = 0.0,
) -> float | Floats:
    """Certify an l2 radius from a count under Gaussian noise.

    False with probability at most ``alpha``, provided the class was not chosen on the same draws.

    Args:
        successes: Draws that voted for the class, in ``[0, trials]``.
        trials: Independent draws, in ``[1, 2**31]``.
        alpha: Failure probability, in ``(0, 1)``.
        sigma: Noise level in input units, positive and finite.
        slack: Total variation between the sampled and the ideal noise, in ``[0, 1)``; taken off the bound.

    Returns:
        The radius in input units; 0, an abstention, unless the lower bound exceeds 1/2. Never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    if not (0 < sigma < math.inf):
        raise InvalidParameter(f"sigma must be positive and finite, in input units; got {sigma}.")
    if not 0 <= slack < 1:
        raise InvalidParameter(f"slack is a total variation in [0, 1); got {slack}.")
    failures = np.asarray(trials) - np.asarray(successes)
    bound = np.asarray(clopper_pearson_upper(failures, trials, alpha))
    failure = np.minimum(np.nextafter(bound + slack, 2), 1.0)
    radius = sigma * np.asarray(certified_radius_factor(failure))
    return radius if radius.ndim else float(radius)


def largest_certifiable_radius(trials: int, alpha: float, sigma: float) -> float:
    """Return the radius of ``trials`` hits of ``trials``, sigma Phi^-1(alpha^(1/n)): none can exceed it."""
    return gaussian_radius(trials, trials, alpha, sigma)


def floor_to(value: float, decimals: int) -> float:
    """Round a radius down for printing: an upward-rounded radius was never proved.

    Works on the shortest decimal that names the float: a value that prints with so few decimals stays as it
    is (0.29 gives 0.29, where ``floor(0.29 * 100) / 100`` gives 0.28), and rounding twice is rounding once.

    Args:
        value: Any finite number.
        decimals: Digits kept after the point, in ``[0, 15]``.

    Returns:
        The largest number of so many decimals that does not exceed ``value``.
    """
    if not math.isfinite(value) or not 0 <= decimals <= 15:
        raise InvalidParameter(
            f"Only finite values are rounded, to 0 to 15 decimals; got {value} to {decimals}."
        )
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_FLOOR))


def _checked(
    successes: int | Counts, trials: int | Counts, alpha: float | Floats
) -> tuple[Floats, Floats, Floats]:
    """Broadcast the arguments to float64 arrays of one shape, or say which one is outside its domain."""
    k, n, a = np.broadcast_arrays(successes, trials, alpha)
    if k.dtype.kind not in "iu" or n.dtype.kind not in "iu":
        raise InvalidParameter("successes and trials are counts: pass whole numbers, not floats or booleans.")
    if not ((n >= 1) & (n <= MAX_TRIALS)).all():
        raise InvalidParameter("trials must lie in [1, 2**31]: with no draw there is no bound.")
    if not ((k >= 0) & (k <= n)).all():
        raise InvalidParameter("successes must lie in [0, trials].")
    if not ((a > 0) & (a < 1)).all():
        raise InvalidParameter("alpha is a failure probability in the open interval (0, 1).")
    return k.astype(np.float64), n.astype(np.float64), a.astype(np.float64)


def _lower_root(k: Floats, n: Floats, alpha: Floats) -> Floats:
    """Solve P(Bin(n, p) >= k) = alpha for p of at most about 1/2, rounded down; k is at least 1."""
    target = _tightened(alpha, n)
    start = betaincinv(k, n - k + 1, target)
    excess = betainc(k, n - k + 1, start) - target
    root = start - excess * _inverse_density(start, k, n - k + 1)
    wrong = ~_solves(root, betainc(k, n - k + 1, root), target, n)
    if wrong.any():
        k, n, target = k[wrong], n[wrong], target[wrong]
        root[wrong] = _bracket(lambda p: betainc(k, n - k + 1, p) <= target, k.size)[0]
    lower: Floats = np.nextafter(root, 0)
    return lower


def _upper_root(k: Floats, n: Floats, alpha: Floats) -> Floats:
    """Solve P(Bin(n, p) <= k) = alpha for p of at most about 1/2, rounded up; k is below n."""
    target = _tightened(alpha, n)
    start = betainccinv(k + 1, n - k, target)
    excess = betaincc(k + 1, n - k, start) - target
    root = start + excess * _inverse_density(start, k + 1, n - k)
    wrong = ~_solves(root, betaincc(k + 1, n - k, root), target, n)
    if wrong.any():
        k, n, target = k[wrong], n[wrong], target[wrong]
        root[wrong] = _bracket(lambda p: betaincc(k + 1, n - k, p) > target, k.size)[1]
    upper: Floats = np.nextafter(root, 1)
    return upper


def _solves(root: Floats, tail: Floats, target: Floats, n: Floats) -> NDArray[np.bool_]:
    """Return where a root is one: the library's inverse is wrong now and then, its tail is not.

    What is tolerated, half of SAFETY and the rounding of the tail, is half of what the target gave up.
    """
    tolerance = (SAFETY + n * TAIL_ERROR_PER_TRIAL) / 2
    solved: NDArray[np.bool_] = (root > 0) & (root < 1) & (np.abs(tail - target) <= tolerance * target)
    return solved


def _bracket(holds: Callable[[Floats], NDArray[np.bool_]], size: int) -> tuple[Floats, Floats]:
    """Return the last p where a statement holds and the first where it does not, one float apart."""
    below, above = np.full(size, np.finfo(float).tiny), np.ones(size)
    for _ in range(BISECTIONS):
        # Halve the exponent while the ends are far apart, and the distance once they are near.
        middle = np.where(above > 2 * below, np.sqrt(below * above), (below + above) / 2)
        true = holds(middle)
        below, above = np.where(true, middle, below), np.where(true, above, middle)
    return below, above


def _tightened(alpha: Floats, n: Floats) -> Floats:
    """Take from alpha what the library's tail may be wrong by."""
    return alpha * (1 - SAFETY - n * TAIL_ERROR_PER_TRIAL)


def _inverse_density(x: Floats, a: Floats, b: Floats) -> Floats:
    """Return one over the density of Beta(a, b), the slope of both tails; its sixth digit is of no account.

    Zero where the density vanishes, so that a bad start is not thrown further off.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        inverse = np.exp(betaln(a, b) - xlogy(a - 1, x) - xlog1py(b - 1, -x))
    steps: Floats = np.where(np.isfinite(inverse), inverse, 0.0)
    return steps
