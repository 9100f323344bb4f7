"""Images turned against a base classifier: by its gradient (PGD), or by its answers alone (Square)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from certd.attacks.toolbox import seeded, victim_of
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.models import BaseClassifier

AttackName = Literal["pgd", "square"]
AttackNorm = Literal["linf", "l2"]
LEAST_SIDE = 10
NORMS: dict[AttackNorm, Any] = {"linf": np.inf, "l2": 2}


@dataclass(frozen=True, slots=True)
class Budget:
    """What the adversary may do.

    Attributes:
        eps: Largest length of a perturbation, input units, positive.
        norm: Of that length.
        steps: Steps of PGD, at least 1; each goes 2.5 ``eps`` / ``steps``.
        restarts: Random starts of PGD, at least 1.
        queries: Answers that Square may ask for, at least 1.
        seed: Of random starts and squares.
        batch_size: Images attacked at once; part of the budget, for they share their random numbers.
    """

    eps: float = 8 / 255
    norm: AttackNorm = "linf"
    steps: int = 20
    restarts: int = 1
    queries: int = 1000
    seed: int = 0
    batch_size: int = 128

    def __post_init__(self) -> None:
        if not (0 < self.eps < math.inf and self.norm in NORMS):
            raise InvalidParameter(f"An attack needs a positive eps, and a norm of {', '.join(NORMS)}.")
        if min(self.steps, self.restarts, self.queries, self.batch_size) < 1:
            raise InvalidParameter("Steps, restarts, queries and the batch size of an attack are at least 1.")

    @property
    def step_size(self) -> float:
        """Return the length of one step of PGD, which reaches every point of the ball from any other."""
        return 2.5 * self.eps / self.steps


def perturbed(
    classifier: BaseClassifier,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    attack: AttackName,
    budget: Budget,
) -> NDArray[np.float32]:
    """Return images within the budget that the base classifier finds harder, by the toolbox's attack.

    Args:
        classifier: Attacked in float32 as it stands, not as a certification would execute it.
        images: Pixels in [0, 1], float32[image, channel, height, width].
        labels: True classes, int64[image]; the attacks go away from them.
        attack: ``pgd`` follows the gradient, ``square`` sees answers alone.
        budget: What is allowed.

    Returns:
        float32 of the shape of the images, in [0, 1].

    Raises:
        Unavailable: If the toolbox is not installed.
        InvalidParameter: If the images are too small for Square in l2.

    References:
        Madry et al. (2018), arXiv:1706.06083; Andriushchenko et al. (2020), arXiv:1912.00049.
    """
    if attack == "square" and budget.norm == "l2" and min(images.shape[2:]) < LEAST_SIDE:
        raise InvalidParameter(
            f"Square in l2 begins with a grid of tiles, and needs images of {LEAST_SIDE} pixels a side; "
            "use --norm linf."
        )
    victim = victim_of(classifier)
    # Square in l2 now and then proposes a tile of no size; 0 / 0 is no better than what stands.
    with seeded(budget.seed), np.errstate(divide="ignore", invalid="ignore"):
        found = np.asarray(_attack(victim, attack, budget).generate(images, labels), np.float32)
    whole = np.isfinite(found).all(axis=(1, 2, 3), keepdims=True)
    return np.where(whole, found, images)


def _attack(victim: Any, attack: AttackName, budget: Budget) -> Any:
    from art.attacks.evasion import ProjectedGradientDescent, SquareAttack  # noqa: PLC0415 - an extra

    allowed: dict[str, Any] = {
        "norm": NORMS[budget.norm], "eps": budget.eps, "batch_size": budget.batch_size, "verbose": False,
    }  # fmt: skip
    if attack == "square":
        return SquareAttack(victim, max_iter=budget.queries, nb_restarts=1, **allowed)
    return ProjectedGradientDescent(
        victim,
        eps_step=budget.step_size,
        max_iter=budget.steps,
        num_random_init=budget.restarts,
        **allowed,
    )
