"""A fresh network, and the registered form of a trained one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import safetensors.torch
import torch

from certd.errors import NotFound
from certd.models.architectures import ARCHITECTURES
from certd.models.normalized import Normalized

if TYPE_CHECKING:
    from pathlib import Path

    from certd.models.specification import ModelSpecification


def fresh_classifier(  # noqa: PLR0913 - a network, its normalisation, and its seed
    architecture: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    seed: int,
) -> Normalized:
    """Return a network with first weights that follow from ``seed``, normalisation inside.

    Raises:
        NotFound: If there is no such architecture.
    """
    if architecture not in ARCHITECTURES:
        raise NotFound(
            f"No architecture is called {architecture!r}; there are {', '.join(sorted(ARCHITECTURES))}."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ARCHITECTURES[architecture](input_shape, num_classes)
    return Normalized(network, mean, std)


def write_model(
    classifier: Normalized, specification: ModelSpecification, weights: Path
) -> ModelSpecification:
    """Write weights as safetensors, with the JSON sidecar that says the rest, and return what was written.

    Args:
        classifier: The trained network.
        specification: What is known about it; ``uri`` and ``sha256`` are filled in here.
        weights: Where the weights go; the sidecar goes beside them.
    """
    state = {name: tensor.contiguous() for name, tensor in classifier.network.state_dict().items()}
    content = safetensors.torch.save(state)
    weights.write_bytes(content)
    written = specification.model_copy(
        update={"uri": weights.name, "sha256": hashlib.sha256(content).hexdigest()}
    )
    weights.with_suffix(".json").write_text(written.model_dump_json(indent=2) + "\n")
    return written
