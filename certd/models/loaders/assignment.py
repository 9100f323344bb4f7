"""Give a network its weights, under whatever wrapper they were saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch
    from torch import nn

PREFIXES = ("", "module.", "1.", "1.module.", "module.1.", "model.", "module.model.")
"""DataParallel writes ``module.``; a network behind a normalisation layer is member ``1`` of a sequence."""
COUNTER = "num_batches_tracked"
NAMED_IN_A_REFUSAL = 3


def assign_state(network: nn.Module, state: Mapping[str, torch.Tensor], name: str) -> None:
    """Give ``network`` exactly the tensors of ``state``, as float32; it may be on the meta device.

    A prefix that the training script's wrappers added is taken off, if every tensor carries it.

    Args:
        network: Takes the tensors as they are; none is copied.
        state: Tensors by name; batch norm's counters may be missing, since they decide nothing here.
        name: What to call the file in a refusal.

    Raises:
        ModelError: If the tensors are not exactly those of ``network``.
    """
    state = _without_prefix(state, set(network.state_dict()), name)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{name} does not hold the weights of this architecture: {error}") from error
    network.float()


def _without_prefix(
    state: Mapping[str, torch.Tensor], expected: set[str], name: str
) -> dict[str, torch.Tensor]:
    wanted = _weights(expected)
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in state):
            stripped = {key.removeprefix(prefix): value for key, value in state.items()}
            if _weights(stripped) == wanted:
                return stripped
    present = _weights(strip_prefix(state))
    raise ModelError(
        f"{name} does not hold the weights of this architecture: it lacks {_some(wanted - present)} and has "
        f"{_some(present - wanted)} besides."
    )


def strip_prefix(keys: Iterable[str]) -> list[str]:
    """Return ``keys`` without the longest wrapper that all of them carry."""
    keys = list(keys)
    prefix = max((p for p in PREFIXES if all(key.startswith(p) for key in keys)), key=len)
    return [key.removeprefix(prefix) for key in keys]


def _weights(keys: Iterable[str]) -> set[str]:
    return {key for key in keys if not key.endswith(COUNTER)}


def _some(keys: set[str]) -> str:
    named = ", ".join(sorted(keys)[:NAMED_IN_A_REFUSAL]) or "nothing"
    rest = len(keys) - NAMED_IN_A_REFUSAL
    return named if rest <= 0 else f"{named} and {rest} more"
