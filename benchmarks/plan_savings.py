"""Measure what the plans save on published pA distributions.

Run ``python benchmarks/plan_savings.py > docs/plan-savings.md``. Each image's probability is recovered from
its published radius; the plans are simulated on it and set against the fixed plan.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from certd.statistics import gaussian_radius, largest_certifiable_radius, lower_bounds_table
from certd.statistics.pilot import draws_for_precision
from certd.statistics.sequential import group_sequential_design, stage_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Radii = NDArray[np.float64]

LOGS = Path(os.environ.get("CERTD_TEST_DATA", "../shared/data")) / "logs"
ALPHA = 0.001
SELECTION = 100
BUDGET = 100_000
PILOT = 1000
TOLERANCE = 0.05
SIMULATED = 200_000
STAGES = stage_schedule(BUDGET)
UNCERTIFIED = -1

PREFACE = f"""# What the plans save

Made by `python benchmarks/plan_savings.py > docs/plan-savings.md`: published logs, simulated until
{SIMULATED:,} images are done, set against the fixed plan of {SELECTION} + {BUDGET:,} draws an image,
alpha = {ALPHA}. The `radii` plan is given the labels; `precision` is not.

A log does not tell how an abstention votes, only that its top class stays below .505. So draws are given
twice: with the label of every abstention **at one half**, which is dear, for a coin is hard to give up, and
**spread** evenly over [0, 1/2]. The label of a wrong image always gets all that its top class left.

**lost** is certified accuracy, in points, at the worst of the listed radii (for `precision`, of 0, .25, ...)
and of the two ways to read an abstention; simulation alone moves it by about .05. An average radius (ACR)
from a list of radii is a step below the continuous one.

| data | sigma | plan | draws, at half | saved | draws, spread | saved | lost | ACR | ACR, fixed |
|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Images:
    """Vote probabilities of the images of one log.

    Attributes:
        sigma: Noise level in input units.
        top: Probability of the top class; float64[image].
        label: Probability of the true label; float64[image].
        correct: Whether the top class is the label; bool[image].
    """

    sigma: float
    top: NDArray[np.float64]
    label: NDArray[np.float64]
    correct: NDArray[np.bool_]

    def repeated(self) -> Images:
        """Return every image so often that ``SIMULATED`` of them average over the draws."""
        times = SIMULATED // len(self.top)
        return Images(
            self.sigma, np.tile(self.top, times), np.tile(self.label, times), np.tile(self.correct, times)
        )


@dataclass(frozen=True)
class Outcome:
    """What a plan made of the images: draws spent and radius certified, for the true label only."""

    draws: NDArray[np.float64]
    radii: NDArray[np.float64]

    def accuracy(self, radius: float) -> float:
        """Return the certified accuracy in points; a radius of 0 asks for a certificate of any radius."""
        return 100 * float((self.radii >= radius).mean())

    @property
    def average_radius(self) -> float:
        """Return the ACR, abstentions counting 0."""
        return float(np.maximum(self.radii, 0).mean())


def read_log(path: Path, *, spread: bool) -> Images:
    """Recover the probabilities: k is the least count whose bound reaches the printed radius.

    A wrong image's label gets all that its top class left. Of an abstention the log says only that it is
    below .505: it gets one half, or is ``spread`` evenly over [0, 1/2].
    """
    sigma = float(path.stem.rsplit("_", 1)[1])
    label, predicted, radius = np.loadtxt(path, skiprows=1, usecols=(1, 2, 3)).T
    counts = np.searchsorted(lower_bounds_table(BUDGET, ALPHA), ndtr(radius / sigma))
    certified = np.minimum(counts, BUDGET) / BUDGET
    abstained = np.random.default_rng(7).uniform(0, 0.5, len(label)) if spread else np.full(len(label), 0.5)
    correct = predicted == label
    below = np.where(predicted >= 0, 1 - certified, abstained)
    top = np.where(predicted >= 0, certified, abstained)
    return Images(sigma, top, np.where(correct, certified, below), correct)


def fixed(images: Images, rng: np.random.Generator) -> Outcome:
    """Simulate the plan that spends the whole budget on every image."""
    hits = rng.binomial(BUDGET, images.label)
    radii = images.sigma * factor_table()[hits]
    return Outcome(np.full(len(hits), float(SELECTION + BUDGET)), uncertified(radii))


def radii_plan(images: Images, radii: Radii, rng: np.random.Generator) -> Outcome:
    """Simulate the labelled ``radii`` plan: threshold, futility and stopping at every look."""
    nulls = tuple(np.nextafter(ndtr(radii / images.sigma), 1).tolist())
    design = group_sequential_design(nulls, STAGES, ALPHA)
    hits, certified = np.zeros((2, len(images.label)), dtype=np.int64)
    draws, active = np.zeros(len(hits)), np.arange(len(hits))
    for k, size in enumerate(np.diff((0, *STAGES))):
        hits[active] += rng.binomial(size, images.label[active])
        draws[active] += size
        reached = np.searchsorted(design.certify[k], hits[active], side="right")
        certified[active] = np.maximum(certified[active], reached)
        following = np.append(design.futility[k], STAGES[k])[certified[active]]
        active = active[hits[active] > following]
    return Outcome(draws, np.append(UNCERTIFIED, radii)[certified])


def precision_plan(images: Images, rng: np.random.Generator) -> Outcome:
    """Simulate the ``precision`` plan: a pilot chooses the budget and is discarded."""
    budgets = np.array([draws_for_precision(k, PILOT, BUDGET, ALPHA, TOLERANCE) for k in range(PILOT + 1)])
    draws = budgets[rng.binomial(PILOT, images.top)]
    radii = gaussian_radius(rng.binomial(draws, images.top), draws, ALPHA, images.sigma)
    return Outcome((PILOT + draws).astype(np.float64), uncertified(np.where(images.correct, radii, 0.0)))


@cache
def factor_table() -> Radii:
    """Return the radius of every count of the whole budget, in units of sigma."""
    return gaussian_radius(np.arange(BUDGET + 1), BUDGET, ALPHA, 1.0)


def uncertified(radii: Radii) -> Radii:
    """Mark abstentions, so that they do not count at radius 0."""
    return np.where(radii > 0, radii, UNCERTIFIED)


def grid(sigma: float, step: float) -> Radii:
    """Return the radii 0, step, 2 step, ... up to the largest the budget can certify."""
    last = int(largest_certifiable_radius(BUDGET, ALPHA, sigma) / step)
    return np.linspace(0, last * step, last + 1)


def simulate(images: Images) -> tuple[Outcome, dict[str, tuple[Outcome, Radii]]]:
    """Return what the fixed plan makes of the images, and what each other plan does at which radii."""
    rng = np.random.default_rng(1902)
    reference = fixed(images, rng)
    steps = {
        "every .25": 0.25,
        "every .25 sigma": 0.25 * images.sigma,
        "every .05 sigma": 0.05 * images.sigma,
    }
    grids = {f"radii, {name}": grid(images.sigma, step) for name, step in steps.items()}
    outcomes = {name: (radii_plan(images, radii, rng), radii) for name, radii in grids.items()}
    outcomes["precision, .05 sigma"] = (precision_plan(images, rng), grid(images.sigma, 0.25))
    return reference, outcomes


def lost(reference: Outcome, outcome: Outcome, radii: Radii) -> Radii:
    """Return the certified accuracy, in points, that ``outcome`` lacks at each of the radii."""
    return np.array([reference.accuracy(radius) - outcome.accuracy(radius) for radius in radii])


def rows(path: Path) -> Iterator[str]:
    """Yield a table row a plan: draws with abstentions at half and spread, and the larger loss."""
    data, sigma = path.stem.split("_")[0], path.stem.rsplit("_", 1)[1]
    spread, at_spread = simulate(read_log(path, spread=True).repeated())
    reference, at_half = simulate(read_log(path, spread=False).repeated())
    for name, (outcome, radii) in at_half.items():
        other = at_spread[name][0]
        losses = np.maximum(lost(reference, outcome, radii), lost(spread, other, radii))
        draws = [one.draws.mean() for one in (outcome, other)]
        yield " | ".join(
            [
                f"| {data} | {sigma} | {name}",
                f"{draws[0]:,.0f} | {(SELECTION + BUDGET) / draws[0]:.1f}x",
                f"{draws[1]:,.0f} | {(SELECTION + BUDGET) / draws[1]:.1f}x",
                f"{losses.max():.2f} at {radii[losses.argmax()]:.3g}",
                f"{outcome.average_radius:.4f} | {reference.average_radius:.4f} |",
            ]
        )


def main() -> None:
    """Print the page."""
    sys.stdout.write(PREFACE)
    sys.stdout.writelines(f"{line}\n" for path in sorted(LOGS.glob("*.tsv")) for line in rows(path))


if __name__ == "__main__":
    main()
