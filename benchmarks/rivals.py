"""What certd is measured against, each written or called as its users do, in a process of their own.

There nothing that certd sets for a process, such as what becomes of freed memory, is set for them.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from certd.models import BaseClassifier

    Opener = Callable[[], BaseClassifier]
    Rival = Callable[[BaseClassifier, NDArray[np.uint8], float, int, int], float]

BATCHES = {"cpu": (32, 64, 128, 256), "cuda": (256, 1024, 4096)}
ALPHA = 0.001


def loop_seconds(
    classifier: BaseClassifier, image: NDArray[np.uint8], sigma: float, draws: int, batch: int
) -> float:
    """Time the loop of Cohen et al. (2019): one image, noise by randn_like, counts on the host."""
    clean = torch.from_numpy(image[None]).float().to(device_of(classifier)) / 255
    counts = np.zeros(classifier.num_classes, dtype=int)
    began = time.perf_counter()
    with torch.no_grad():
        while draws > 0:
            size = min(batch, draws)
            draws -= size
            copies = clean.repeat((size, 1, 1, 1))
            predictions = classifier.module(copies + torch.randn_like(copies) * sigma).argmax(1)
            for prediction in predictions.cpu().numpy():
                counts[prediction] += 1
    return time.perf_counter() - began


def art_seconds(
    classifier: BaseClassifier, image: NDArray[np.uint8], sigma: float, draws: int, batch: int
) -> float:
    """Time the adversarial-robustness-toolbox on the draws of one image."""
    from art.estimators.certification.randomized_smoothing import PyTorchRandomizedSmoothing

    smoothed = PyTorchRandomizedSmoothing(
        model=classifier.module,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=classifier.input_shape,
        nb_classes=classifier.num_classes,
        sample_size=1,
        scale=sigma,
        alpha=ALPHA,
        device_type="gpu" if device_of(classifier) == "cuda" else "cpu",
    )
    pixels = image[None].astype(np.float32) / 255
    began = time.perf_counter()
    smoothed.certify(pixels, n=draws - 1, batch_size=batch)
    return time.perf_counter() - began


RIVALS: dict[str, Rival] = {"reference loop": loop_seconds, "ART": art_seconds}


class RivalProcess:
    """A process of one thread that opens a classifier and times the rivals on draws of one image.

    Args:
        open_classifier: Opens the classifier there; a function of a module, or ``partial`` of one.
        image: uint8[channel, height, width].
        sigma: Noise level.
        device: A torch device name.
    """

    def __init__(
        self, open_classifier: Opener, image: NDArray[np.uint8], sigma: float, device: str = "cpu"
    ) -> None:
        self._asked = (image, sigma)
        self._batches = BATCHES[torch.device(device).type]
        self._process = ProcessPoolExecutor(1, get_context("spawn"), _begin, (open_classifier, device))

    def seconds(self, name: str, draws: int, batch: int) -> float:
        """Return the time that a rival takes for so many draws."""
        return self._process.submit(_seconds, name, *self._asked, draws, batch).result()

    def best_batch(self, name: str, draws: int) -> int:
        """Return the batch at which a rival is fastest here."""
        return min(self._batches, key=lambda batch: self.seconds(name, draws, batch))

    def close(self) -> None:
        """End the process."""
        self._process.shutdown()


_opened: list[BaseClassifier] = []


def _begin(open_classifier: Opener, device: str) -> None:
    torch.set_num_threads(1)
    classifier = open_classifier()
    classifier.module.to(device)
    _opened.append(classifier)


def _seconds(name: str, image: NDArray[np.uint8], sigma: float, draws: int, batch: int) -> float:
    return RIVALS[name](_opened[0], image, sigma, draws, batch)


def device_of(classifier: BaseClassifier) -> str:
    """Return the kind of device that holds the classifier."""
    return next(classifier.module.parameters()).device.type
