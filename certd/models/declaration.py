"""What a user states about a model beyond its file, and which file he means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from pathlib import PurePath

DEFAULT_HUGGINGFACE_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Statements about a model; None leaves one to the file, or to the preset where no file can say it.

    Attributes:
        name: Name to register it under.
        preset: Key of ``certd.models.presets.PRESETS``.
        architecture: As in :class:`certd.models.ModelSpecification`.
        input_shape: Channel, height and width of one image.
        num_classes: Number of logits.
        mean: Subtracted from each channel inside the classifier, for pixels in ``[0, 1]``.
        std: Divides each channel after that.
        training_sigma: Noise level of training, in pixel units; 0 for none.
        description: One line for people; what was assumed is appended.
    """

    name: str = "model"
    preset: str | None = None
    architecture: str | None = None
    input_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    training_sigma: float | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A model on this machine.

    Attributes:
        scheme: ``checkpoint``, ``onnx``, ``torchvision``, ``timm``, ``robustbench``, ``hf`` or
            ``py``.
        name: The network's name in the library; for ``py``, ``module:factory``; empty otherwise.
        path: The file of weights; empty for ``py``.
    """

    scheme: str
    name: str
    path: str

    @classmethod
    def parse(cls, uri: str | PurePath) -> ModelUri:
        """Read ``FILE``, ``checkpoint:FILE``, ``onnx:FILE``, ``hf:FOLDER``, ``timm:NAME?weights=FILE`` ....

        Raises:
            InvalidParameter: If the scheme is unknown, or the weights of a library's network are not named:
                nothing is downloaded.
        """
        scheme, separator, rest = str(uri).partition(":")
        match scheme if separator else "":
            case "":
                return cls("checkpoint", "", str(uri))
            case "checkpoint" | "onnx":
                return cls(scheme, "", rest)
            case "hf":
                return cls(scheme, "", f"{rest.rstrip('/')}/{DEFAULT_HUGGINGFACE_WEIGHTS}")
            case "torchvision" | "timm" | "robustbench":
                name, _, query = rest.partition("?")
                return cls(scheme, name, _weights(query, str(uri)))
            case "py":
                return cls(scheme, rest, "")
            case _:
                raise InvalidParameter(
                    f"{scheme}: is no source of models; there are checkpoint:FILE, onnx:FILE, hf:FOLDER, "
                    "torchvision:NAME?weights=FILE, timm:NAME?weights=FILE, "
                    "robustbench:DATASET/THREAT/NAME?weights=FILE and py:MODULE:FACTORY."
                )


def _weights(query: str, uri: str) -> str:
    members = dict(parse_qsl(query))
    if members.keys() != {"weights"}:
        raise InvalidParameter(f"{uri} needs ?weights=FILE and nothing else; certd downloads no weights.")
    return members["weights"]
