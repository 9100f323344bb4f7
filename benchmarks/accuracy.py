"""What the ``radii`` plan loses and saves on real images against the fixed plan, on the same noise.

    python -m benchmarks.accuracy --weights resnet20_noise_0.25.pth --data cifar10_test.npz [--processes 2]

Both plans draw the same noisy copies, so one run of draws serves them all: each image is drawn until every
way of spending has ended and what the whole budget would make of it is known but for a chance of 1e-5 at
each radius. That takes a ninth of the draws of the fixed plan. One thread a process. Prints Markdown, and
what is found so far to standard error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
from scipy.stats import betabinom

from benchmarks.machine import describe
from benchmarks.rivals import ALPHA
from benchmarks.table import table_parser
from certd.datasets import open_dataset
from certd.models import Declaration, open_model
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare
from certd.noise.sources import open_source
from certd.noise.specification import NoiseSpecification
from certd.smoothing import Draws, Guarantee, Phase
from certd.smoothing.sampler import DrawRequest, ImageSet, Sampler
from certd.statistics import group_sequential_design, least_certifying_count, stage_schedule
from certd.statistics.spending import Spending

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from certd.statistics import GroupSequentialDesign

N0, N, SEED = 100, 100_000, 1
RADII = (0.0, 0.25, 0.5, 0.75)
STAGES = stage_schedule(N)
SPENDINGS: tuple[Spending, ...] = get_args(Spending)
UNSETTLED = 1e-5
IMAGES_AT_ONCE = 25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the plans make of one image.

    Attributes:
        fixed: Radii of the list that the whole budget certifies.
        certified: Radii of the list that each way of spending certifies.
        draws: Draws that each of them takes.
    """

    fixed: int
    certified: dict[Spending, int]
    draws: dict[Spending, int]


class Table:
    """The classifier and the images, opened once a process."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.set_num_threads(1)
        classifier = open_model(
            str(arguments.weights), Declaration(name="model", preset=arguments.preset), "cpu"
        )
        execution = ExecutionArithmetic.model_validate({"dtype": arguments.dtype, "compiled": True})
        noise = NoiseSpecification(family="gaussian", sigma=arguments.sigma)
        self.guarantee = Guarantee.of(noise, "l2", classifier.input_shape)
        self.images = open_dataset(f"npz:{arguments.data}").select(skip=arguments.skip)
        self._sampler = Sampler(
            prepare(classifier, execution, arguments.batch, "cpu"),
            open_source(noise, SEED),
            name="model",
            num_classes=classifier.num_classes,
        )

    def outcomes(self, first: int) -> list[Outcome]:
        """Return what the plans make of ``IMAGES_AT_ONCE`` images from ``first`` on."""
        chosen = slice(first, first + IMAGES_AT_ONCE)
        labels = np.asarray(self.images.labels)[chosen]
        images = ImageSet(np.asarray(self.images.images[chosen]), self.images.image_ids[chosen])
        everyone = [DrawRequest(i, Draws(Phase.SELECTION, 0, N0)) for i in range(len(labels))]
        selected = [int(votes.counts.argmax()) for votes in self._sampler.count(images, everyone)]
        trails = self._trails(images, labels)
        return [
            _outcome(trail, self.guarantee, selected=selected[i] == labels[i])
            for i, trail in enumerate(trails)
        ]

    def _trails(self, images: ImageSet, labels: NDArray[np.int64]) -> list[list[int]]:
        """Return each label's hits at the looks until nothing is open about the image."""
        trails: list[list[int]] = [[] for _ in labels]
        for before, draws in zip((0, *STAGES), STAGES, strict=False):
            open_images = [i for i, trail in enumerate(trails) if _open(trail, self.guarantee)]
            requests = [DrawRequest(i, Draws(Phase.ESTIMATION, before, draws)) for i in open_images]
            if not requests:
                break
            for i, votes in zip(open_images, self._sampler.count(images, requests), strict=True):
                trails[i].append((trails[i][-1] if trails[i] else 0) + int(votes.counts[labels[i]]))
        return trails


@cache
def _designs(guarantee: Guarantee) -> dict[Spending, GroupSequentialDesign]:
    nulls = tuple(guarantee.threshold(radius) for radius in RADII)
    return {spending: group_sequential_design(nulls, STAGES, ALPHA, spending) for spending in SPENDINGS}


@cache
def _least(guarantee: Guarantee) -> NDArray[np.int64]:
    """Return the hits of the whole budget that certify each radius."""
    found = [least_certifying_count(N, ALPHA, guarantee.threshold(radius)) for radius in RADII]
    return np.array([N + 1 if count is None else count for count in found])


def _chances(trail: Sequence[int], guarantee: Guarantee) -> NDArray[np.float64]:
    """Return the chance of each radius at the end of the budget, under a flat prior on pA."""
    draws, hits = STAGES[len(trail) - 1], trail[-1]
    wanting = _least(guarantee) - hits
    if draws == N:
        return (wanting <= 0).astype(np.float64)
    chances: NDArray[np.float64] = betabinom.sf(wanting - 1, N - draws, hits + 1, draws - hits + 1)
    return chances


def _open(trail: list[int], guarantee: Guarantee) -> bool:
    """Return whether a way of spending goes on, or what the whole budget would make is not known."""
    if not trail or not all(design.finished(trail) for design in _designs(guarantee).values()):
        return True
    chances = _chances(trail, guarantee)
    return bool(((chances > UNSETTLED) & (chances < 1 - UNSETTLED)).any())


def _outcome(trail: list[int], guarantee: Guarantee, *, selected: bool) -> Outcome:
    certified: dict[Spending, int] = {}
    draws: dict[Spending, int] = {}
    for spending, design in _designs(guarantee).items():
        looks = next(k for k in range(1, len(trail) + 1) if design.finished(trail[:k]))
        certified[spending], draws[spending] = design.certified(trail[:looks]), STAGES[looks - 1]
    whole = int((_chances(trail, guarantee) > 0.5).sum())
    return Outcome(whole if selected else 0, certified, draws)


def main() -> None:
    """Draw, and print the table."""
    arguments = _arguments()
    total = len(open_dataset(f"npz:{arguments.data}").select(skip=arguments.skip))
    found: list[Outcome] = []
    with get_context("spawn").Pool(arguments.processes, _begin, (arguments,)) as pool:
        for outcomes in pool.imap_unordered(_work, range(0, total, IMAGES_AT_ONCE)):
            found += outcomes
            print(f"{len(found)} of {total}\n{_table(found)}", file=sys.stderr, flush=True)
    print(
        f"{describe()}; {arguments.weights.name}, sigma {arguments.sigma}, {arguments.dtype}, {total} images,"
    )
    print(f"{total} images, alpha {ALPHA}, budget {N:,}, one noise for all.\n\n{_table(found)}")


def _table(found: list[Outcome]) -> str:
    columns = " | ".join(f"{radius:g}" for radius in RADII)
    rows = [f"| certified accuracy at | {columns} | draws an image |", "|---|" + "---|" * (len(RADII) + 1)]
    rows.append(_row("fixed plan", [one.fixed for one in found], N0 + N))
    for spending in SPENDINGS:
        draws = float(np.mean([one.draws[spending] for one in found]))
        rows.append(_row(f"radii, {spending}", [one.certified[spending] for one in found], draws))
    return "\n".join(rows)


def _row(name: str, certified: list[int], draws: float) -> str:
    shares = [f"{np.mean([count > j for count in certified]):.3f}" for j in range(len(RADII))]
    return f"| {name} | {' | '.join(shares)} | {draws:,.0f} |"


_opened: list[Table] = []


def _begin(arguments: argparse.Namespace) -> None:
    """Open the table in a process of the pool."""
    _opened.append(Table(arguments))


def _work(first: int) -> list[Outcome]:
    return _opened[0].outcomes(first)


def _arguments() -> argparse.Namespace:
    parser = table_parser(__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
