"""An upper bound on a smoothed classifier's radius: the nearest image found to which it answers otherwise.

The search follows the gradient of the mean softmax over noisy copies, and proves nothing. What it finds is
put to the test: rounded to the grid of images, of which certificates speak, and drawn anew with the noise and
the execution of the certificate. Only an image that passes bounds the radius from above.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from certd.attacks.bracket import Bracket
from certd.attacks.toolbox import seeded, victim_of
from certd.errors import InvalidParameter
from certd.models import BaseClassifier
from certd.smoothing.certifier import Certifier
from certd.smoothing.plans import PredictPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from certd.attacks.bracket import Search
    from certd.models.runtime.arithmetic import Execution
    from certd.smoothing.certificate import Certificate
    from certd.smoothing.request import Certification

ORDERS: dict[str, Any] = {"l2": 2, "linf": np.inf}
BISECTIONS = 8
WITHIN = 0.99
"""Part of the largest length that is used, for an image rounded to the grid may be a little farther."""
SHRINK = 0.9
"""How much nearer than what was found the next round looks."""
BEYOND = (1.0, 1.05, 1.15, 1.4)
"""Where on the ray through what was found images are put to the test, each at its share of alpha."""


class _MeanSoftmax(torch.nn.Module):
    """The smoothed classifier as the search sees it: ``ln`` of the mean softmax over fresh noisy copies."""

    def __init__(self, module: nn.Module, sigma: float, copies: int) -> None:
        super().__init__()
        self.module, self.sigma, self.copies = module, sigma, copies

    def forward(self, images: Tensor) -> Tensor:
        copies = images.repeat_interleave(self.copies, dim=0)
        logits = self.module(copies + self.sigma * torch.randn_like(copies))
        shares = logits.log_softmax(1).view(len(images), self.copies, -1)
        return torch.logsumexp(shares, dim=1) - float(np.log(self.copies))


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """One image of a run and what it is certified for."""

    pixels: NDArray[np.uint8]
    image_id: int
    predicted: int
    seed: int


class SmoothedAttack:
    """Searches images near certified ones to which the smoothed classifier answers otherwise.

    Args:
        classifier: The base classifier of the run.
        certification: That of the run, with Gaussian noise and a radius in l2 or linf.
        search: How to look, and how to test what was found.
        device: A torch device name, that of the classifier.

    Raises:
        Unavailable: If the toolbox is not installed.
        InvalidParameter: If the run is of another noise or norm, of a mixture, or drawn with the same seed.
    """

    def __init__(
        self, classifier: BaseClassifier, certification: Certification, search: Search, device: str = "cpu"
    ) -> None:
        _check(certification, search)
        self._classifier, self._search, self._device = classifier, search, device
        self._sigma = certification.noise.sigma
        self._order = ORDERS[certification.norm]
        smoothed = _MeanSoftmax(classifier.module, self._sigma, search.copies)
        seen = BaseClassifier.from_module(
            smoothed, classifier.name, classifier.input_shape, classifier.num_classes
        )
        self._victim = victim_of(seen)
        self._tester = Certifier(classifier, _tested(certification, search), device)

    @property
    def execution(self) -> Execution:
        """Return how the classifier is executed where what was found is tested."""
        return self._tester.execution

    def bracket(self, certificate: Certificate, pixels: NDArray[np.uint8]) -> Bracket:
        """Return what is proved of an image beside what was found near it.

        It depends on the image, its certificate and the search alone, not on what was attacked before.

        Args:
            certificate: One that did not abstain.
            pixels: Its image, uint8[channel, height, width].

        Raises:
            InvalidParameter: If the certificate abstained, or is of other pixels.
        """
        predicted, record = certificate.conclusion.prediction, certificate.record
        if predicted is None:
            raise InvalidParameter(f"Image {record.image_id} was not certified; there is nothing to attack.")
        if hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() != record.image_sha256:
            raise InvalidParameter(
                f"Image {record.image_id} is not the one that was certified; name the run's own data set."
            )
        seed = _seed_of(self._search.seed, record.image_id)
        target = _Target(pixels, record.image_id, predicted, seed)
        with seeded(seed):
            nearest = self._nearest(target)
        found = Bracket(record.image_id, record.label, predicted, certificate.conclusion.radius)
        return found if nearest is None else self._put_to_the_test(target, nearest, found)

    def _nearest(self, target: _Target) -> NDArray[np.float32] | None:
        """Return the nearest point found at which most copies vote otherwise; None where none was."""
        start, eps, best = _as_floats(target.pixels), self._search.eps, None
        for _ in range(self._search.rounds):
            reached = self._pushed(start, target.predicted, eps)
            if self._votes_for(reached, target.predicted):
                break
            best = self._pulled_back(start, reached, target.predicted)
            eps = SHRINK * self._length(best - start)
        return best

    def _pushed(self, start: NDArray[np.float32], label: int, eps: float) -> NDArray[np.float32]:
        from art.attacks.evasion import ProjectedGradientDescent  # noqa: PLC0415 - an extra

        attack = ProjectedGradientDescent(
            self._victim,
            norm=self._order,
            eps=eps,
            eps_step=2.5 * eps / self._search.steps,
            max_iter=self._search.steps,
            num_random_init=self._search.restarts,
            batch_size=1,
            verbose=False,
        )
        return np.asarray(attack.generate(start[None], np.array([label]))[0], np.float32)

    def _pulled_back(
        self, start: NDArray[np.float32], reached: NDArray[np.float32], label: int
    ) -> NDArray[np.float32]:
        """Return the nearest point of the segment at which most copies vote otherwise, by halving."""
        near, far = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = (near + far) / 2
            point = start + np.float32(middle) * (reached - start)
            near, far = (middle, far) if self._votes_for(point, label) else (near, middle)
        return start + np.float32(far) * (reached - start)

    def _votes_for(self, image: NDArray[np.float32], label: int) -> bool:
        """Return whether most of a few copies vote for ``label``: good enough to search by."""
        module, left = self._classifier.module, self._search.votes
        counts = np.zeros(self._classifier.num_classes, np.int64)
        shown = torch.from_numpy(image[None]).to(self._device)
        with torch.inference_mode():
            while left > 0:
                size = min(left, self._tester.execution.batch_size)
                copies = shown.expand(size, *image.shape)
                classes = module(copies + self._sigma * torch.randn_like(copies)).argmax(1)
                counts += np.bincount(classes.cpu().numpy(), minlength=len(counts))
                left -= size
        return int(counts.argmax()) == label

    def _put_to_the_test(self, target: _Target, nearest: NDArray[np.float32], found: Bracket) -> Bracket:
        """Round points beyond what was found to images, and take the first that the test decides otherwise.

        Each is tested at its share of alpha on draws of its own, which the search did not see.
        """
        start = _as_floats(target.pixels)
        farthest = WITHIN * self._search.eps / self._length(nearest - start)
        for tested, factor in enumerate(sorted({min(each, farthest) for each in BEYOND}), start=1):
            image = _as_pixels(start + np.float32(factor) * (nearest - start))
            length = self._length((image.astype(np.float64) - target.pixels) / 255)
            drawn_as = np.array([_seed_of(target.seed, tested)], np.uint64)
            (answer,) = self._tester.certify(image[None], drawn_as)
            conclusion = answer.conclusion
            elsewhere = conclusion.prediction not in {None, target.predicted}
            if elsewhere and length <= self._search.eps:
                return found.refuted(length, conclusion, image, tested)
        return found

    def _length(self, perturbation: NDArray[np.floating]) -> float:
        return float(np.linalg.norm(perturbation.astype(np.float64).reshape(-1), self._order))


def _check(certification: Certification, search: Search) -> None:
    if certification.noise.family != "gaussian" or certification.norm not in ORDERS:
        raise InvalidParameter(
            f"Attacks look for {' and '.join(ORDERS)} perturbations under Gaussian noise; this run has "
            f"{certification.noise.family} noise and {certification.norm} radii."
        )
    if certification.mixing is not None or certification.plan.kind in {"predict", "exhaustive"}:
        raise InvalidParameter("Only runs with radii of a single smoothed classifier are attacked.")
    if getattr(certification.plan, "top_k", 1) != 1:
        raise InvalidParameter("A top-k certificate says nothing about the first class; attack another run.")
    if search.seed == certification.seed:
        raise InvalidParameter("Give the attack a seed other than the run's: tests need draws of their own.")


def _tested(certification: Certification, search: Search) -> Certification:
    """Return the certification of a prediction at an attacked image, by the classifier that was certified."""
    execution = certification.execution
    if execution.dtype == "checked":
        execution = execution.model_copy(update={"dtype": "float32"})
    plan = PredictPlan(n=search.n, alpha=search.alpha / len(BEYOND))
    own: dict[str, Any] = {
        "plan": plan, "seed": search.seed, "execution": execution, "check_draws": None, "confidence": False,
    }  # fmt: skip
    return certification.model_copy(update=own)


def _seed_of(seed: int, part: int) -> int:
    digest = hashlib.sha256(f"attack {seed} {part}".encode()).digest()
    return int.from_bytes(digest[:6], "little")


def _as_floats(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255)


def _as_pixels(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(255 * image.astype(np.float64)), 0, 255).astype(np.uint8)
