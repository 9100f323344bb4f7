"""Opens what the command line names as a model: a registered one, or a file on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from certd.cli.options import parse_numbers, parse_shape
from certd.settings import load_settings

if TYPE_CHECKING:
    from certd.models import BaseClassifier, Declaration


@dataclass(frozen=True, slots=True)
class FileConventions:
    """What a user says about a file of weights that does not say it itself."""

    preset: str | None = None
    architecture: str | None = None
    mean: str | None = None
    std: str | None = None
    input_shape: str | None = None
    num_classes: int | None = None

    def declaration(self, name: str) -> Declaration:
        """Return the statements about the model called ``name``."""
        from certd.models import Declaration

        return Declaration(
            name=name,
            preset=self.preset,
            architecture=self.architecture,
            mean=parse_numbers("--mean", self.mean),
            std=parse_numbers("--std", self.std),
            input_shape=parse_shape("--input-shape", self.input_shape),
            num_classes=self.num_classes,
        )


def open_classifier(
    model: str, device: str, conventions: FileConventions, sigma: float | None = None
) -> BaseClassifier:
    """Return the classifier that ``model`` names.

    A URI or an existing file is opened as such, and may name the user's own code; anything else is looked up.

    Args:
        model: A registered name, a file, or a URI such as ``onnx:FILE`` or ``py:module:factory``.
        device: A torch device name.
        conventions: What is known about a file that does not say it itself.
        sigma: Noise level of the certification, for code that asks for it.
    """
    import torch

    from certd.models import load_model, open_model

    # As in a worker: threads that wait for one another on a busy machine are slower than one.
    torch.set_num_threads(load_settings().threads)

    registered = "@sha256:" in model or (":" not in model and not Path(model).is_file())
    if registered:
        return load_model(model, device, registry=load_settings().models)
    declaration = conventions.declaration(Path(model.rpartition(":")[2]).stem)
    return open_model(model, declaration, device, allow_code=True, sigma=sigma)
