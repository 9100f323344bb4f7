"""AutoAttack on a base classifier, attack by attack: its authors' own code, and a test of what it returns."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from certd.errors import InvalidParameter, ModelError, ShapeMismatch, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from certd.attacks.perturbation import AttackNorm
    from certd.models import BaseClassifier

PACKAGE = "pyautoattack"
Preset = Literal["standard", "plus", "rand"]
PRESETS: tuple[Preset, ...] = ("standard", "plus", "rand")
NORMS: dict[AttackNorm, str] = {"linf": "Linf", "l2": "L2"}
LEAST_CLASSES: dict[Preset, int] = {"standard": 4, "plus": 4, "rand": 3}
TARGETS = 9
LEAST_SIDE = 5
SLACK = 1e-4
"""By what share of eps float32 may carry a perturbation over it."""


@dataclass(frozen=True, slots=True)
class AutoAttackSettings:
    """Which attacks, and how far they may go.

    Attributes:
        eps: Largest length of a perturbation, input units, positive.
        norm: Of that length.
        preset: ``standard``, ``plus``, or ``rand``: for a random classifier, 20 answers a gradient.
        seed: Of all that is drawn.
        batch_size: Images attacked at once; part of the settings, for they share their random numbers.
        iterations: Of APGD and FAB, instead of the preset's; what is shortened is no AutoAttack.
        queries: Of Square, instead of the preset's.
    """

    eps: float = 8 / 255
    norm: AttackNorm = "linf"
    preset: Preset = "standard"
    seed: int = 0
    batch_size: int = 250
    iterations: int | None = None
    queries: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.eps < math.inf and self.norm in NORMS):
            raise InvalidParameter(f"An attack needs a positive eps, and a norm of {', '.join(NORMS)}.")
        if self.preset not in PRESETS:
            raise InvalidParameter(f"AutoAttack has the presets {', '.join(PRESETS)}; got {self.preset!r}.")
        counts = [self.batch_size, *(n for n in (self.iterations, self.queries) if n is not None)]
        if min(counts) < 1 or not 0 <= self.seed < 2**53:
            raise InvalidParameter("Batch size, iterations and queries are at least 1, a seed at least 0.")

    @property
    def shortened(self) -> bool:
        """Return whether the attacks end before the preset's would."""
        return self.iterations is not None or self.queries is not None


class AutoAttacker:
    """Runs one attack of a preset at a time, and believes it only what it can see for itself.

    What an attack finds depends on classifier, images, labels and settings alone, not on what ran before.

    Args:
        classifier: Attacked in float32 as it stands, not as a certification would execute it.
        settings: What is allowed.

    Raises:
        Unavailable: If the package is not installed.
        InvalidParameter: If the classifier has too few classes for the preset's losses, or its images are too
            small for Square in l2.

    References:
        Croce and Hein (2020), arXiv:2003.01690.
    """

    def __init__(self, classifier: BaseClassifier, settings: AutoAttackSettings) -> None:
        self.package = f"{PACKAGE} {package_version()}"
        least = LEAST_CLASSES[settings.preset]
        if classifier.num_classes < least:
            raise InvalidParameter(
                f"The losses of preset {settings.preset} compare {least} classes; {classifier.name} has "
                f"{classifier.num_classes}."
            )
        if (
            settings.norm == "l2"
            and settings.preset != "rand"
            and min(classifier.input_shape[1:]) < LEAST_SIDE
        ):
            raise InvalidParameter(
                f"Square in l2 begins with a grid of tiles, and needs images of {LEAST_SIDE} pixels a side."
            )
        self._classifier, self._settings = classifier, settings
        self._device = next(classifier.module.parameters(), torch.empty(0)).device
        self.attacks: tuple[str, ...] = tuple(_runner(classifier, settings, self._device).attacks_to_run)

    def right(self, images: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which images get their label, bool[image].

        Args:
            images: Pixels in [0, 1], float32[image, channel, height, width].
            labels: True classes, int64[image].

        Raises:
            ShapeMismatch: If the images are not of the classifier's shape, or not as many as the labels.
            ModelError: If logits are no numbers.
        """
        if images.shape[1:] != self._classifier.input_shape or len(images) != len(labels):
            raise ShapeMismatch(
                f"{self._classifier.name} takes images of {self._classifier.input_shape}, one label each."
            )
        return self._right(torch.from_numpy(images).to(self._device), labels)

    def fallen(
        self, attack: str, images: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], list[str]]:
        """Attack images that get their label.

        An image has fallen if what the attack returned for it is an image, pixels in [0, 1], no further than
        ``eps`` away, and does not get the label when the classifier is asked again.

        Args:
            attack: One of :attr:`attacks`.
            images: Pixels in [0, 1], float32[image, channel, height, width], at least one.
            labels: True classes, int64[image].

        Returns:
            Which have fallen, bool[image], and what the package warned of.

        Raises:
            ModelError: If logits are no numbers.
        """
        start = torch.from_numpy(images).to(self._device)
        # The package's targeted FAB leaves fewer restarts to what comes after it: each attack begins anew.
        runner = _runner(self._classifier, self._settings, self._device)
        runner.attacks_to_run = [attack]
        with torch.random.fork_rng(), _heard() as warnings:
            # Its checks draw nothing, but a random classifier would.
            torch.manual_seed(self._settings.seed)
            found, _ = runner.run_standard_evaluation(
                start, torch.from_numpy(labels).to(self._device), batch_size=len(images)
            )
        return self._allowed(start, found) & ~self._right(found, labels), warnings

    def _allowed(self, start: Tensor, found: Tensor) -> NDArray[np.bool_]:
        """Return which points are images within reach."""
        flat, order = found.flatten(1).double(), math.inf if self._settings.norm == "linf" else 2.0
        lengths = torch.linalg.vector_norm(flat - start.flatten(1).double(), ord=order, dim=1)
        within = lengths <= self._settings.eps * (1 + SLACK)
        inside = ((flat >= 0) & (flat <= 1)).all(dim=1)
        return np.asarray((within & inside).cpu().numpy(), np.bool_)

    def _right(self, images: Tensor, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        with torch.no_grad():
            logits = self._classifier.module(images)
        if not torch.isfinite(logits).all():
            raise ModelError(f"{self._classifier.name} returned logits that are no numbers; nothing follows.")
        return np.asarray(logits.argmax(1).cpu().numpy() == labels, np.bool_)


def package_version() -> str:
    """Return the version of the package that is installed.

    Raises:
        Unavailable: If it is not.
    """
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise Unavailable(f"AutoAttack is that of {PACKAGE}: pip install 'certd[autoattack]'.") from None


def _runner(classifier: BaseClassifier, settings: AutoAttackSettings, device: torch.device) -> Any:
    """Return the package's preset, with as many targets as there are other classes at most."""
    from pyautoattack import AutoAttack  # noqa: PLC0415 - an extra

    made = AutoAttack(
        classifier.module,
        norm=NORMS[settings.norm],
        eps=settings.eps,
        seed=settings.seed,
        version=settings.preset,
        device=device,
    )
    made.verbose = False
    made.apgd_targeted.n_target_classes = min(TARGETS, classifier.num_classes - 1)
    made.fab.n_target_classes = min(TARGETS, classifier.num_classes - 1)
    if settings.iterations is not None:
        for part in (made.apgd, made.apgd_targeted, made.fab):
            part.n_iter = settings.iterations
    if settings.queries is not None:
        made.square.n_queries = settings.queries
    return made


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what the package warns of, which it says to a logger."""
    listener, logger = _Listener(), logging.getLogger("auto-attack")
    passed_on, logger.propagate = logger.propagate, False
    logger.addHandler(listener)
    try:
        yield listener.messages
    finally:
        logger.removeHandler(listener)
        logger.propagate = passed_on
