"""Networks of RobustBench, built by its package without weights; nothing is downloaded."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import torch

from certd.errors import InvalidParameter, NotFound, Unavailable

if TYPE_CHECKING:
    from torch import nn

PRESETS = {"cifar10": "cifar10-raw", "cifar100": "cifar100-raw", "imagenet": "imagenet-raw"}
"""Its networks normalise by themselves."""


def preset_of(name: str) -> str:
    """Return the preset of a network ``DATASET/THREAT/NAME``.

    Raises:
        InvalidParameter: If the name has another form, or there is no such data set.
    """
    dataset, _, rest = name.partition("/")
    if dataset not in PRESETS or not rest.partition("/")[2]:
        raise InvalidParameter(
            f"robustbench:{name} needs the form robustbench:DATASET/THREAT/NAME?weights=FILE, such as "
            f"cifar10/Linf/Carmon2019Unlabeled; data sets are {', '.join(PRESETS)}."
        )
    return PRESETS[dataset]


def build_robustbench(name: str) -> nn.Module:
    """Return RobustBench's network ``DATASET/THREAT/NAME``; the caller's random numbers are kept.

    Raises:
        Unavailable: If the package does not import; the release on PyPI alone does not, for it needs
            AutoAttack from its repository.
        NotFound: If it has no such network.
    """
    preset_of(name)
    dataset, threat, title = name.split("/", 2)
    models = _entries(dataset, threat)
    if title not in models:
        raise NotFound(f"robustbench has no network {title!r} for {dataset}/{threat}.")
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = models[title]["model"]()
    return network


def _entries(dataset: str, threat: str) -> dict[str, Any]:
    try:
        zoo: Any = importlib.import_module("robustbench.model_zoo")
        enums: Any = importlib.import_module("robustbench.model_zoo.enums")
    except ImportError as error:
        raise Unavailable(
            f"This needs robustbench ({error}): pip install git+https://github.com/RobustBench/robustbench, "
            "here and on every worker."
        ) from error
    try:
        found: dict[str, Any] = zoo.model_dicts[enums.BenchmarkDataset(dataset)][enums.ThreatModel(threat)]
    except (KeyError, ValueError):
        raise NotFound(f"robustbench has no networks for {dataset}/{threat}.") from None
    return found
