"""The recipe that reaches a large average certified radius by serving easy images only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import ndtri

from certd.errors import InvalidParameter, ModelError
from certd.statistics import clopper_pearson_lower
from certd.training.recipe import GaussianAugmentation, noisy_loss
from certd.training.served import ServedImages
from certd.training.sphere_attack import attack_on_sphere

if TYPE_CHECKING:
    from torch import Tensor, nn

    from certd.training.recipe import CountLabels

DISCARD_DRAWS = 100
REWEIGHT_DRAWS, REWEIGHT_ALPHA, REWEIGHT_LEAST = 16, 0.1, 12
DISCARDING, REWEIGHTING = 1, 2
"""What an estimate is for; it seeds the draws, so that no two estimates share theirs."""


def radius_weights(label_counts: Tensor) -> Tensor:
    """Return how often an image is served, from how many of 16 draws got its label.

    The weight is the certified radius at alpha = .1 over that of 12 draws, which is the least that is told
    apart: 1, 2.138, 3.420, 4.976 and 7.206 for 12 and fewer, 13, 14, 15 and 16. Sigma cancels out.

    Args:
        label_counts: int64[image] in [0, 16].

    Returns:
        float64[image], at least 1.

    References:
        arXiv:2410.06895.
    """
    counts = np.arange(REWEIGHT_LEAST, REWEIGHT_DRAWS + 1)
    radii = ndtri(clopper_pearson_lower(counts, REWEIGHT_DRAWS, REWEIGHT_ALPHA))
    weights = torch.from_numpy(radii / radii[0])
    return weights[(label_counts - REWEIGHT_LEAST).clamp(min=0)]


@dataclass(frozen=True, slots=True)
class EasyImages:
    """Train on easy images, easier ones more often, under the hardest noise of each length.

    It raises the average certified radius and gives hard images up. It is here to be held against honest
    training, so that a report can be seen to tell them apart; nobody should deploy what it makes.

    Attributes:
        sigma: Noise level, in input units.
        draws: Noise draws m of an image in one step.
        discard_after: Epochs E_t after which images are discarded, once; the attack begins there too.
        discard_below: Share p_t of 100 draws below which an image is discarded, in [0, 1].
        reweight_every: Epochs between two reweightings, from E_t on; 0 serves the kept images evenly.
        attack_steps: Steps T on the noise sphere.
        attack_step_size: Length of a step, input units.

    References:
        Sun, Mao, Mueller and Vechev (2025), arXiv:2410.06895.
    """

    sigma: float
    draws: int = 4
    discard_after: int = 60
    discard_below: float = 0.5
    reweight_every: int = 10
    attack_steps: int = 3
    attack_step_size: float = 0.25

    def __post_init__(self) -> None:
        _ = self._plain  # refuses sigma and draws outside their domains
        domains = {
            "discard_after": (0, 10**6), "discard_below": (0, 1), "reweight_every": (0, 10**6),
            "attack_steps": (0, 1000), "attack_step_size": (0, 1000),
        }  # fmt: skip
        for name, (least, most) in domains.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise InvalidParameter(
                    f"{name} lies in [{least}, {most}], not at {value}.", pointer=f"/{name}"
                )

    @property
    def _plain(self) -> GaussianAugmentation:
        return GaussianAugmentation(self.sigma, self.draws)

    def serve(self, done: int, served: ServedImages, count: CountLabels) -> ServedImages:
        """Discard when it is time to, and reweight when it is time to."""
        if done == self.discard_after:
            served = self._discarded(served, count)
        since = done - self.discard_after
        if self.reweight_every and since >= 0 and since % self.reweight_every == 0:
            weights = radius_weights(count(served.positions, REWEIGHT_DRAWS, REWEIGHTING))
            served = ServedImages(served.num_images, served.positions, weights)
        return served

    def _discarded(self, served: ServedImages, count: CountLabels) -> ServedImages:
        counts = count(served.positions, DISCARD_DRAWS, DISCARDING)
        # Counts are whole and the share is a float: in counts, .29 of 100 is 29 and not 28.999999999999996.
        kept = served.positions[counts >= round(self.discard_below * DISCARD_DRAWS, 9)]
        if not len(kept):
            raise ModelError(
                f"After {self.discard_after} epochs no image gets its label in {self.discard_below:g} of "
                f"{DISCARD_DRAWS} draws, so none would be left. Discard later, or below a smaller share."
            )
        return ServedImages(served.num_images, kept, torch.ones(len(kept), dtype=torch.float64))

    def loss(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        done: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy over the draws, attacked once images were discarded."""
        copies, noise = self._plain.noisy(images, generator)
        repeated = labels.repeat_interleave(self.draws)
        if done >= self.discard_after:
            noise = attack_on_sphere(
                classifier, copies, repeated, noise,
                steps=self.attack_steps, step_size=self.attack_step_size,
            )  # fmt: skip
        return noisy_loss(classifier, copies, repeated, noise)
