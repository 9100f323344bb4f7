"""Draft the registry entry of a file: what it says itself, what was declared, and what had to be assumed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from certd.errors import InvalidParameter
from certd.models.architectures import ARCHITECTURES
from certd.models.declaration import Declaration, ModelUri
from certd.models.loaders.assignment import strip_prefix
from certd.models.loaders.checkpoint import Checkpoint, read_checkpoint
from certd.models.loaders.robustbench import preset_of
from certd.models.loaders.weights_file import read_file
from certd.models.networks import CHECKPOINT_SUFFIXES, HUGGINGFACE_CONFIG
from certd.models.presets import PRESETS, find_preset
from certd.models.sidecar import completed, read_sidecar
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECTION_LAYER = "fc.weight"
"""The last layer of the CIFAR ResNets with projections; those without call it ``linear``."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that could be registered.

    Attributes:
        specification: The entry.
        notes: What was not declared, and where it was taken from; to be shown to the user.
    """

    specification: ModelSpecification
    notes: tuple[str, ...]


def draft_model(uri: str | ModelUri, declaration: Declaration, folder: Path | None = None) -> Draft:
    """Return the entry for a file on this machine; nothing is registered, and no weight is checked yet.

    Args:
        uri: As :meth:`certd.models.declaration.ModelUri.parse` reads it.
        declaration: Whatever the user knows about the model.
        folder: What ``uri`` is relative to, and the registry's folder; None for the working directory.

    Raises:
        NotFound: If there is no such file or preset.
        InvalidParameter: If something is neither in the file nor declared, or the statements disagree.
        ModelError: If the file, or a sidecar beside it, is damaged.
        DigestMismatch: If the sidecar describes other weights.
    """
    parsed = uri if isinstance(uri, ModelUri) else ModelUri.parse(uri)
    if parsed.scheme == "robustbench" and declaration.preset is None:
        declaration = replace(declaration, preset=preset_of(parsed.name))
    path = (folder or Path()) / parsed.path
    data = read_file(path)
    checkpoint = _checkpoint(path, data)
    notes: list[str] = []
    sidecar = read_sidecar(path, data) if parsed.scheme == "checkpoint" else None
    if sidecar is not None:
        declaration = completed(declaration, sidecar)
        notes.append(f"What was not declared is what {path.with_suffix('.json').name} says.")
    members = {
        "name": declaration.name,
        "architecture": _architecture(parsed, path, declaration, checkpoint, notes),
        "uri": parsed.path,
        "sha256": hashlib.sha256(data).hexdigest(),
        "training_sigma": _training_sigma(declaration, checkpoint, notes),
        **_conventions(declaration, notes),
    }
    members["description"] = " ".join(filter(None, (declaration.description, *notes)))
    return Draft(_validated(members), tuple(notes))


def _checkpoint(path: Path, data: bytes) -> Checkpoint:
    if path.suffix in CHECKPOINT_SUFFIXES:
        return read_checkpoint(data, path.name)
    return Checkpoint(state={})


def _architecture(
    uri: ModelUri, path: Path, declaration: Declaration, checkpoint: Checkpoint, notes: list[str]
) -> str:
    if declaration.architecture is not None:
        return declaration.architecture
    match uri.scheme:
        case "onnx":
            return "onnx"
        case "torchvision" | "timm" | "robustbench":
            return f"{uri.scheme}:{uri.name}"
        case "hf":
            return "hf:" + hashlib.sha256(read_file(path.with_name(HUGGINGFACE_CONFIG))).hexdigest()
        case _:
            return _stated_architecture(path, checkpoint, notes)


def _stated_architecture(path: Path, checkpoint: Checkpoint, notes: list[str]) -> str:
    found = None if checkpoint.arch is None else architecture_of(checkpoint.arch, checkpoint.state)
    if found is None:
        stated = "names none" if checkpoint.arch is None else f"calls its own {checkpoint.arch!r}"
        raise InvalidParameter(
            f"{path.name} {stated}; give the architecture, one of {', '.join(sorted(ARCHITECTURES))}."
        )
    notes.append(f"Architecture {found} read off the file's arch {checkpoint.arch!r} and its weights' names.")
    return found


def architecture_of(arch: str, keys: Iterable[str]) -> str | None:
    """Return our name for what a training script called ``arch``; None if it is unknown.

    Two networks go by ``cifar_resnet110``; the names of their weights tell them apart.
    """
    name = arch.replace("cifar_resnet", "cifar-resnet").replace("_", "-")
    if name.startswith("cifar-resnet") and PROJECTION_LAYER in strip_prefix(keys):
        name += "-projection"
    return name if name in ARCHITECTURES else None


def _training_sigma(declaration: Declaration, checkpoint: Checkpoint, notes: list[str]) -> float | None:
    if declaration.training_sigma is None and checkpoint.training_sigma is not None:
        notes.append(f"Training sigma {checkpoint.training_sigma:g} as the file states it.")
        return checkpoint.training_sigma
    return declaration.training_sigma


def _conventions(declaration: Declaration, notes: list[str]) -> dict[str, object]:
    """Return normalisation, shape and classes; a file of weights holds none of them."""
    names = ("mean", "std", "input_shape", "num_classes")
    members = {name: getattr(declaration, name) for name in names}
    missing = [name for name in names if members[name] is None]
    if not missing:
        return members
    if declaration.preset is None:
        raise InvalidParameter(
            f"A file of weights does not say {', '.join(missing)}; give them, or a preset: "
            f"{', '.join(sorted(PRESETS))}."
        )
    preset = find_preset(declaration.preset)
    for name in missing:
        members[name] = getattr(preset, name)
    taken = ", ".join(f"{name} {members[name]}" for name in missing)
    notes.append(f"Assumed from the preset {declaration.preset} ({preset.origin}): {taken}.")
    return members


def _validated(members: dict[str, object]) -> ModelSpecification:
    try:
        return ModelSpecification.model_validate(members)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise InvalidParameter(f"{member}: {first['msg']}.") from error
