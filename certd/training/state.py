"""Where a training run stands after an epoch, and the file that keeps it."""

from __future__ import annotations

import io
import os
import pickle
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from certd.errors import InvalidParameter, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from certd.training.served import ServedImages


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What is needed to go on.

    Attributes:
        run: What was asked for, as text; another run is not gone on with.
        epoch: Epochs that are done.
        weights: State of the network.
        optimizer: State of the optimizer.
        served: Which images are left and how often each is served; empty while that is all of them.
    """

    run: str
    epoch: int
    weights: dict[str, Any]
    optimizer: dict[str, Any]
    served: dict[str, torch.Tensor]

    @classmethod
    def of(
        cls,
        run: str,
        epoch: int,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        served: ServedImages,
    ) -> TrainingState:
        """Take the state of a run between two epochs, in copies: the run goes on."""
        weights, momentum = deepcopy(network.state_dict()), deepcopy(optimizer.state_dict())
        return cls(run, epoch, weights, momentum, served.members())

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Put a network and its optimizer into this state."""
        network.load_state_dict(self.weights)
        # An optimizer goes on with the very tensors that it is given.
        optimizer.load_state_dict(deepcopy(self.optimizer))

    def write(self, path: Path) -> None:
        """Replace the file whole, so that it is valid at every moment."""
        stream = io.BytesIO()
        torch.save(
            {
                "run": self.run,
                "epoch": self.epoch,
                "weights": dict(self.weights),
                "optimizer": self.optimizer,
                "served": self.served,
            },
            stream,
        )
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("wb") as file:
            file.write(stream.getvalue())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @classmethod
    def read(cls, path: Path, run: str) -> TrainingState:
        """Read what :meth:`write` wrote; nothing in the file is executed.

        Raises:
            ModelError: If the file is damaged.
            InvalidParameter: If it belongs to another run.
        """
        try:
            members = torch.load(path, weights_only=True, map_location="cpu")
            state = cls(**{name: members[name] for name in cls.__dataclass_fields__})
        except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            raise ModelError(f"{path.name} is no intact training state: {error}.") from error
        if state.run != run:
            raise InvalidParameter(
                f"{path.name} belongs to a run with other settings, architecture or data; resume it with the "
                "options it was begun with, or delete it."
            )
        return state
