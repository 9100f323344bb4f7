"""Entries are drafted from files: what the file says, what is declared, what is assumed and said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from certd.errors import InvalidParameter, NotFound
from certd.models import Declaration, draft_model
from certd.models.architectures import CifarResNet, ProjectionResNet
from certd.models.declaration import ModelUri
from certd.models.draft import architecture_of
from certd.models.loading import load_specification
from certd.models.normalized import Normalized

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def save(folder: Path, network: nn.Module, prefix: str = "1.module.", **members: object) -> None:
    """Write a checkpoint as the scripts of the smoothing literature do."""
    state = {prefix + key: value for key, value in network.state_dict().items()}
    torch.save({"epoch": 90, **members, "state_dict": state}, folder / "checkpoint.pth.tar")


@pytest.mark.parametrize(
    ("network", "architecture"),
    [(CifarResNet, "cifar-resnet20"), (ProjectionResNet, "cifar-resnet20-projection")],
)
def test_two_networks_of_one_name_are_told_apart(
    tmp_path: Path, network: type[CifarResNet | ProjectionResNet], architecture: str
) -> None:
    """Both files say ``cifar_resnet20``; the names of the weights decide, behind any wrapper."""
    torch.manual_seed(0)
    source = network((3, 32, 32), 10, depth=20).eval()
    save(tmp_path, source, arch="cifar_resnet20")
    draft = draft_model("checkpoint.pth.tar", Declaration(preset="cifar10"), tmp_path)
    assert draft.specification.architecture == architecture
    loaded = load_specification(draft.specification, tmp_path)
    images = torch.rand(2, 3, 32, 32)
    normalised = Normalized(source, draft.specification.mean, draft.specification.std)
    assert torch.equal(loaded.module(images), normalised(images))


def test_all_that_was_assumed_is_said(tmp_path: Path) -> None:
    """The preset, its origin and its numbers stand in the notes and in the description."""
    save(tmp_path, CifarResNet((3, 32, 32), 10), arch="cifar_resnet20", noise_sd=0.5)
    declaration = Declaration(preset="cifar10", std=(0.5, 0.5, 0.5), description="Mine.")
    draft = draft_model("checkpoint.pth.tar", declaration, tmp_path)
    assert draft.specification.std == (0.5, 0.5, 0.5)
    assert draft.specification.training_sigma == 0.5
    assert draft.specification.description == " ".join(("Mine.", *draft.notes))
    assert len(draft.notes) == 3
    assert "preset cifar10 (Cohen" in draft.notes[2]
    assert "std" not in draft.notes[2]


def test_nothing_is_noted_where_all_is_declared(tmp_path: Path) -> None:
    """Statements of the user are not repeated to him."""
    save(tmp_path, CifarResNet((3, 32, 32), 10))
    declaration = Declaration("mine", None, "cifar-resnet20", (3, 32, 32), 10, (0.0,) * 3, (1.0,) * 3, 0.25)
    draft = draft_model("checkpoint.pth.tar", declaration, tmp_path)
    assert draft.notes == ()
    assert draft.specification.name == "mine"


@pytest.mark.parametrize(
    ("declaration", "complaint"),
    [
        (Declaration(preset="cifar10"), "names none; give the architecture"),
        (Declaration(architecture="cifar-resnet20"), "does not say mean, std, input_shape, num_classes"),
        (Declaration(architecture="cifar-resnet20", preset="cifar10", mean=(0.5,)), "one value for each"),
        (Declaration(architecture="cifar-resnet20", preset="cifar10", name="Not A Name"), "name: "),
    ],
)
def test_what_is_neither_in_the_file_nor_declared_is_asked_for(
    tmp_path: Path, declaration: Declaration, complaint: str
) -> None:
    """Nothing is guessed; the refusal lists what can be said."""
    save(tmp_path, CifarResNet((3, 32, 32), 10))
    with pytest.raises(InvalidParameter, match=complaint):
        draft_model("checkpoint.pth.tar", declaration, tmp_path)


def test_an_unknown_preset_or_file_is_answered_with_what_to_do(tmp_path: Path) -> None:
    """The presets are listed; the file is named."""
    save(tmp_path, CifarResNet((3, 32, 32), 10), arch="cifar_resnet20")
    with pytest.raises(NotFound, match="there are cifar10, "):
        draft_model("checkpoint.pth.tar", Declaration(preset="cifar"), tmp_path)
    with pytest.raises(NotFound, match=r"no file other\.pth"):
        draft_model("other.pth", Declaration(preset="cifar10"), tmp_path)


def test_a_file_of_unknown_suffix_is_refused(tmp_path: Path) -> None:
    """The format is told by the suffix, and the refusal lists those that are read."""
    (tmp_path / "weights.pkl").write_bytes(b"anything")
    draft = draft_model("weights.pkl", Declaration(architecture="lenet", preset="mnist"), tmp_path)
    with pytest.raises(InvalidParameter, match=r"\.safetensors or in one of"):
        load_specification(draft.specification, tmp_path)


@pytest.mark.parametrize(
    ("arch", "last_layer", "expected"),
    [
        ("cifar_resnet110", "1.fc.weight", "cifar-resnet110-projection"),
        ("cifar_resnet110", "module.linear.weight", "cifar-resnet110"),
        ("resnet50", "1.module.fc.weight", "resnet50"),
        ("lenet", "1.fc2.weight", "lenet"),
        ("vit", "1.head.weight", None),
    ],
)
def test_names_of_training_scripts_are_translated(arch: str, last_layer: str, expected: str | None) -> None:
    """The arch of the published checkpoints finds the network they were made with."""
    assert architecture_of(arch, [last_layer, last_layer.replace("weight", "bias")]) == expected


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("a/b.pth", ModelUri("checkpoint", "", "a/b.pth")),
        ("checkpoint:b.pth", ModelUri("checkpoint", "", "b.pth")),
        ("onnx:b.onnx", ModelUri("onnx", "", "b.onnx")),
        ("hf:vit/", ModelUri("hf", "", "vit/model.safetensors")),
        ("timm:vit_tiny?weights=a/b.pth", ModelUri("timm", "vit_tiny", "a/b.pth")),
        ("py:package.module:make", ModelUri("py", "package.module:make", "")),
    ],
)
def test_a_model_is_named_by_a_path_or_a_scheme(uri: str, parsed: ModelUri) -> None:
    """Each source has one way to be written."""
    assert ModelUri.parse(uri) == parsed
