"""Model soups: weighted averages of networks of one architecture, exact where exactness can be had.

References:
    Wortsman et al. (2022), Model soups, arXiv:2203.05482; Croce et al. (2023), Seasoning model soups for
    robustness to adversarial and natural distribution shifts, arXiv:2302.10164.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RUNNING_VARIANCE = "running_var"


class NegativeVariance(InvalidParameter):
    """A soup whose averaged statistics make no network."""


State = dict[str, torch.Tensor]


def soup(ingredients: Sequence[Mapping[str, torch.Tensor]], weights: Sequence[int], units: int) -> State:
    """Return the weighted average of state dictionaries.

    Averages are taken in float64 and rounded once to the ingredients' type, so the weights of a single
    ingredient give it back bit for bit. Whole numbers, such as counters, are those of the first ingredient.

    Args:
        ingredients: States with equal names, shapes and types.
        weights: In steps of ``1 / units``, one an ingredient, summing to ``units``; may be negative.
        units: Steps of one whole.

    Raises:
        InvalidParameter: If the ingredients differ in more than their values, or the weights are not one in
            all.
    """
    if not ingredients or len(weights) != len(ingredients) or sum(weights) != units or units < 1:
        raise InvalidParameter(
            f"A soup takes one weight an ingredient, summing to one; got {len(ingredients)} ingredients and "
            f"the weights {', '.join(map(str, weights))} in steps of 1/{units}."
        )
    for place, other in enumerate(ingredients[1:], 2):
        _require_alike(ingredients[0], other, place)
    used = [(weight, state) for weight, state in zip(weights, ingredients, strict=True) if weight]
    return {name: _average([(weight, state[name]) for weight, state in used], units, first)
            for name, first in ingredients[0].items()}  # fmt: skip


def require_variances(state: Mapping[str, torch.Tensor]) -> None:
    """Refuse a state whose normalisation would divide by the root of a negative number.

    Extrapolated averages of variances can be negative. Estimate the statistics anew on calibration images.

    Raises:
        NegativeVariance: If a running variance is negative or no number; the message names it.
    """
    for name, values in state.items():
        if name.rpartition(".")[2] == RUNNING_VARIANCE and not bool((values >= 0).all()):
            raise NegativeVariance(
                f"The average of {name} is negative: these weights extrapolate too far for averaged "
                "statistics. Estimate them anew on calibration images, with the noise added."
            )


def reestimate_batch_norm(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Replace the running statistics of every batch normalisation by those of calibration images.

    The mean over batches of what each layer sees, in one pass, nothing else in training mode. What is
    certified under noise must be calibrated under that noise: add it to the batches.

    Args:
        network: Changed in place; left in evaluation mode.
        batches: Float images as the network takes them, noise added; at least one batch.

    Raises:
        InvalidParameter: If there is no batch.
    """
    layers = [each for each in network.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001 - the one name all of them share
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    seen = 0
    try:
        with torch.no_grad():
            for batch in batches:
                network(batch)
                seen += 1
    finally:
        network.eval()
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if not seen:
        raise InvalidParameter("Statistics cannot be estimated from no images; give a calibration set.")


def _average(parts: Sequence[tuple[int, torch.Tensor]], units: int, first: torch.Tensor) -> torch.Tensor:
    if not first.is_floating_point():
        return first.clone()
    if len(parts) == 1:
        return parts[0][1].clone()
    total = torch.zeros_like(first, dtype=torch.float64)
    for weight, values in parts:
        total += weight * values.double()
    return (total / units).to(first.dtype)


def _require_alike(first: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor], place: int) -> None:
    if first.keys() != other.keys():
        odd = min(first.keys() ^ other.keys())
        raise InvalidParameter(
            f"Ingredient {place} is of another architecture: {odd} is in one of them alone."
        )
    for name, values in first.items():
        there = other[name]
        if values.shape != there.shape or values.dtype != there.dtype:
            raise InvalidParameter(
                f"Ingredient {place} is of another architecture: {name} is {tuple(there.shape)} "
                f"{there.dtype}, not {tuple(values.shape)} {values.dtype}."
            )
