"""The adversarial-robustness-toolbox, whose attacks are used as they are."""

from __future__ import annotations

import random
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from certd.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.models import BaseClassifier

PACKAGE = "adversarial-robustness-toolbox"
MISSING = f"Attacks are those of {PACKAGE}: pip install 'certd[attacks]'."


def toolbox_version() -> str:
    """Return the version that is installed.

    Raises:
        Unavailable: If it is not.
    """
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise Unavailable(MISSING) from None


def victim_of(classifier: BaseClassifier) -> Any:
    """Return a base classifier as the toolbox attacks it: float32, pixels in [0, 1], gradients of its logits.

    Raises:
        Unavailable: If the toolbox is not installed.
    """
    toolbox_version()
    from art.estimators.classification import PyTorchClassifier  # noqa: PLC0415 - an extra, and slow to import

    device = next(classifier.module.parameters(), torch.empty(0)).device.type
    return PyTorchClassifier(
        model=classifier.module,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=classifier.input_shape,
        nb_classes=classifier.num_classes,
        clip_values=(0.0, 1.0),
        device_type="gpu" if device == "cuda" else "cpu",
    )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give the toolbox, which draws from the global generators, a seed; put them back afterwards."""
    plain, before = random.getstate(), np.random.get_state()  # noqa: NPY002 - what the toolbox reads
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(before)  # noqa: NPY002
