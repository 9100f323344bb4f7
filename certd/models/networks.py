"""Rebuild the network that a registry entry describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.errors import InvalidParameter, NotFound
from certd.models.architectures import ARCHITECTURES
from certd.models.loaders.assignment import assign_state
from certd.models.loaders.checkpoint import read_checkpoint
from certd.models.loaders.huggingface import read_huggingface
from certd.models.loaders.onnx import OnnxNetwork
from certd.models.loaders.robustbench import build_robustbench
from certd.models.loaders.safetensors import read_safetensors
from certd.models.loaders.timm import build_timm
from certd.models.loaders.torchvision import build_torchvision
from certd.models.loaders.weights_file import read_weights

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from certd.models.specification import ModelSpecification

CHECKPOINT_SUFFIXES = frozenset({".pth", ".pt", ".th", ".tar", ".ckpt", ".bin"})
HUGGINGFACE_CONFIG = "config.json"


def read_network(specification: ModelSpecification, path: Path) -> nn.Module:
    """Return the network with the weights in ``path``, whose digest is checked first.

    Raises:
        NotFound: If the file or the architecture does not exist.
        DigestMismatch: If the file is not the one that was registered.
        ModelError: If the weights do not fit the architecture.
        Unavailable: If a package that the format needs is not installed.
    """
    data = read_weights(path, specification.sha256)
    if specification.architecture == "onnx":
        return OnnxNetwork(data, path.name)
    state = read_state(data, path.name)
    scheme, _, pin = specification.architecture.partition(":")
    if scheme == "hf":
        return read_huggingface(path.with_name(HUGGINGFACE_CONFIG), pin, state, path.name)
    network = _build(specification)
    assign_state(network, state, path.name)
    return network


def read_state(data: bytes, name: str) -> dict[str, torch.Tensor]:
    """Return the named tensors in a file, whose suffix tells the format.

    Raises:
        InvalidParameter: If the suffix is unknown.
        ModelError: If the content is not what the suffix says.
    """
    suffix = name[name.rfind(".") :]
    if suffix == ".safetensors":
        return read_safetensors(data, name)
    if suffix in CHECKPOINT_SUFFIXES:
        return read_checkpoint(data, name).state
    raise InvalidParameter(
        f"{name} has an unknown suffix; weights end in .safetensors or in one of "
        f"{', '.join(sorted(CHECKPOINT_SUFFIXES))}."
    )


def _build(specification: ModelSpecification) -> nn.Module:
    scheme, _, name = specification.architecture.partition(":")
    match scheme:
        case "torchvision":
            return build_torchvision(name, specification.num_classes)
        case "timm":
            return build_timm(name, specification.input_shape, specification.num_classes)
        case "robustbench":
            return build_robustbench(name)
        case _:
            return _build_own(specification)


def _build_own(specification: ModelSpecification) -> nn.Module:
    if specification.architecture not in ARCHITECTURES:
        raise NotFound(
            f"{specification.name} has the unknown architecture {specification.architecture!r}; there are "
            f"{', '.join(sorted(ARCHITECTURES))}, torchvision:NAME, timm:NAME, "
            "robustbench:DATASET/THREAT/NAME, hf:DIGEST and onnx."
        )
    # On the meta device nothing is initialised, so loading leaves the caller's random numbers alone.
    with torch.device("meta"):
        return ARCHITECTURES[specification.architecture](specification.input_shape, specification.num_classes)
