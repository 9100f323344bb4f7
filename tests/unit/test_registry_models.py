"""An operator's registry: what stands in it is found, and nothing else is opened."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
import safetensors.torch
import torch

from certd.errors import Conflict, DigestMismatch, NotFound, UnreadableInput
from certd.models import (
    Specification,
    find_model,
    list_models,
    load_model,
    model_names,
    register_model,
    unregister_model,
)
from certd.models.architectures import LeNet

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = """\
# Trained in March; ask before removing.
first:
  uri: weights/lenet.safetensors   # on the shared disk
  sha256: {sha256}
  architecture: lenet
  input_shape: [1, 28, 28]
  num_classes: 10
  mean: [0]
  std: [1]
"""


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Return a registry of one model, with comments, beside its weights."""
    torch.manual_seed(0)
    data = safetensors.torch.save(LeNet((1, 28, 28), 10).state_dict())
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "lenet.safetensors").write_bytes(data)
    path = tmp_path / "models.yaml"
    path.write_text(ENTRY.format(sha256=hashlib.sha256(data).hexdigest()))
    return path


def renamed(registry: Path, **members: Any) -> Specification:
    """Return the registry's first model with other members."""
    return list_models(registry)[0].model_copy(update={"name": "second", **members})


def test_registered_and_built_in_models_are_found_together(registry: Path) -> None:
    """The registry adds names; without it there are only the built-in ones."""
    assert model_names(registry=registry) == ("digits-cnn", "first")
    assert model_names() == ("digits-cnn",)
    assert find_model("digits-cnn", registry=registry) == find_model("digits-cnn")
    specification = find_model("first", registry=registry)
    assert find_model(specification.reference, registry=registry) == specification


def test_a_registered_model_is_loaded_from_beside_the_registry(registry: Path) -> None:
    """The path is relative to the YAML file, wherever the process runs."""
    classifier = load_model("first", registry=registry)
    assert classifier.module(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    "reference",
    ["weights/lenet.safetensors", "../first", "py:os:getcwd", "onnx:weights/lenet.safetensors", ""],
)  # fmt: skip
def test_a_name_that_is_not_registered_opens_nothing(registry: Path, reference: str) -> None:
    """Paths, schemes and code are no names, even where the file exists."""
    with pytest.raises(NotFound, match="there are digits-cnn, first"):
        find_model(reference, registry=registry)


def test_changed_weights_are_noticed_on_every_load(registry: Path) -> None:
    """One bit of the file is enough."""
    load_model("first", registry=registry)
    weights = registry.parent / "weights" / "lenet.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DigestMismatch, match="register it again"):
        load_model("first", registry=registry)


def test_registering_keeps_every_line_that_was_there(registry: Path) -> None:
    """Comments and order survive; the new entry is what was registered."""
    before = registry.read_text()
    specification = renamed(registry, training_sigma=0.25, description="kräftig: größer")
    register_model(registry, specification)
    assert registry.read_text().startswith(before)
    assert list_models(registry)[1] == specification
    unregister_model(registry, "second")
    assert registry.read_text() == before


def test_removing_keeps_the_comments_of_others(registry: Path) -> None:
    """Only the entry's own lines go, and the weights stay."""
    register_model(registry, renamed(registry))
    registry.write_text(registry.read_text() + "# the end\n")
    unregister_model(registry, "first")
    assert [model.name for model in list_models(registry)] == ["second"]
    text = registry.read_text()
    assert text.startswith("# Trained in March; ask before removing.\nsecond:")
    assert text.endswith("# the end\n")
    assert (registry.parent / "weights" / "lenet.safetensors").exists()


def test_the_first_registration_makes_the_file(registry: Path) -> None:
    """A registry need not exist before its first entry; workers of another user can read it."""
    fresh = registry.with_name("fresh.yaml")
    register_model(fresh, renamed(registry))
    assert [model.name for model in list_models(fresh)] == ["second"]
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o644


@pytest.mark.parametrize("name", ["first", "digits-cnn"])
def test_a_name_is_never_registered_twice(registry: Path, name: str) -> None:
    """Neither an entry nor a built-in model is overwritten or hidden."""
    before = registry.read_text()
    with pytest.raises(Conflict, match="already"):
        register_model(registry, renamed(registry, name=name))
    assert registry.read_text() == before


def test_only_registered_models_are_removed(registry: Path) -> None:
    """An unknown name and a built-in one are told as such."""
    for name in ("other", "digits-cnn"):
        with pytest.raises(NotFound, match="holds no model"):
            unregister_model(registry, name)


@pytest.mark.parametrize("layout", ["{first: {%s}}\n", "? first\n: {%s}\n...\n"])
def test_a_layout_that_cannot_be_edited_safely_is_left_alone(registry: Path, layout: str) -> None:
    """The file is replaced only by one that says exactly what was meant."""
    members = ", ".join(line.split("#")[0].strip() for line in registry.read_text().splitlines()[2:])
    registry.write_text(layout % members)
    before = registry.read_text()
    with pytest.raises(Conflict, match="by hand"):
        register_model(registry, renamed(registry))
    assert registry.read_text() == before
    assert [path.name for path in registry.parent.glob(".*")] == []


def test_a_crash_while_writing_leaves_the_old_registry(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced in one step, or not at all, and no fragment stays."""
    before = registry.read_text()

    def crash(descriptor: int) -> None:
        raise KeyboardInterrupt

    specification = renamed(registry)
    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        register_model(registry, specification)
    assert registry.read_text() == before
    assert {path.name for path in registry.parent.iterdir()} == {"models.yaml", "weights"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("first: {uri: a", "no valid YAML"),
        ("- first", "must map"),
        ("first: 3", "must map"),
        ("first: {uri: a}\nfirst: {uri: b}\n", "twice"),
        ("first: {uri: a, aplha: 1}", "cannot be registered"),
        ("../first: {uri: a}", "cannot be registered"),
        ("first: !!python/object/apply:os.system ['true']", "no valid YAML"),
        ("a: {b: " + "[" * 2000, "64 brackets"),
        ("# " + "]" * 2000 + "\na: " + "[" * 2000, "64 brackets"),
    ],
)
def test_a_malformed_registry_is_refused_whole(registry: Path, text: str, complaint: str) -> None:
    """No entry of a file that is wrong somewhere is used, and no YAML tag runs code."""
    registry.write_text(text)
    with pytest.raises(UnreadableInput, match=complaint):
        model_names(registry=registry)


def test_a_registry_cannot_hide_a_built_in_model(registry: Path) -> None:
    """Jobs that pin the built-in name must not meet another model."""
    registry.write_text(registry.read_text().replace("first:", "digits-cnn:"))
    with pytest.raises(UnreadableInput, match="built-in model"):
        model_names(registry=registry)


def test_a_registry_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    """A misspelt setting is no empty registry."""
    with pytest.raises(NotFound, match=r"no registry .*models\.yaml"):
        model_names(registry=tmp_path / "models.yaml")
    (tmp_path / "models.yaml").write_bytes(b"\xff")
    with pytest.raises(UnreadableInput, match="UTF-8"):
        model_names(registry=tmp_path / "models.yaml")
