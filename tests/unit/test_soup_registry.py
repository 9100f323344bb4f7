"""Soups in the registry: what they pin, what they refuse, and that a changed ingredient is noticed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import safetensors.torch
import torch

from certd.cli.soup import cook, parse_weights
from certd.errors import Conflict, DigestMismatch, InvalidParameter, NotFound
from certd.models import (
    EnsembleSpecification,
    ModelSpecification,
    Soup,
    SoupSpecification,
    draft_ensemble,
    draft_mixture,
    draft_soup,
    find_model,
    load_model,
    model_names,
    parts_of,
    register_model,
    unregister_model,
)
from certd.models.architectures import ARCHITECTURES
from certd.models.soup_family import SoupFamily
from certd.models.soups import soup

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (3, 8, 8)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Return a registry of two small networks of one architecture, whose variances lie far apart."""
    path = tmp_path / "models.yaml"
    for seed, name in enumerate(("first", "second")):
        torch.manual_seed(seed)
        network = ARCHITECTURES["cifar-resnet20"](SHAPE, 10).train()
        with torch.no_grad():
            for _ in range(3):
                network((1 + 4 * seed) * torch.rand(32, *SHAPE))
        add(path, name, network.state_dict())
    return path


def add(registry: Path, name: str, state: dict[str, torch.Tensor], mean: float = 0.5) -> None:
    """Write weights beside the registry and register them."""
    data = safetensors.torch.save({key: value.contiguous() for key, value in state.items()})
    (registry.parent / f"{name}.safetensors").write_bytes(data)
    register_model(
        registry,
        ModelSpecification(
            name=name, architecture="cifar-resnet20", uri=f"{name}.safetensors",
            sha256=hashlib.sha256(data).hexdigest(), input_shape=SHAPE, num_classes=10,
            mean=(mean,) * 3, std=(0.25,) * 3, training_sigma=0.25,
        ),
    )  # fmt: skip


def test_a_soup_is_an_ordinary_model(registry: Path) -> None:
    """It is found, loaded and pinned as others are, and computes what the average of the weights does."""
    register_model(registry, draft_soup("mixed", ["first", "second"], [3, 2], 5, registry=registry))
    found = find_model("mixed", registry=registry)
    assert isinstance(found, SoupSpecification)
    assert "mixed" in model_names(registry=registry)
    assert (found.input_shape, found.num_classes, found.training_sigma) == (SHAPE, 10, 0.25)
    loaded = load_model(found.reference, registry=registry)
    assert loaded.reference == found.reference
    parts = [load_model(name, registry=registry).module.state_dict() for name in ("first", "second")]
    expected = soup(parts, [3, 2], 5)
    assert all(torch.equal(loaded.module.state_dict()[name], expected[name]) for name in expected)


@pytest.mark.parametrize(("weights", "name"), [([5, 0], "first"), ([0, 5], "second")])
def test_unit_weights_return_the_ingredient_bit_for_bit(
    registry: Path, weights: list[int], name: str
) -> None:
    """The soup of one ingredient alone is that ingredient, as it is executed."""
    register_model(registry, draft_soup("alone", ["first", "second"], weights, 5, registry=registry))
    images = torch.rand(4, *SHAPE)
    ours, theirs = (load_model(each, registry=registry).module for each in ("alone", name))
    assert torch.equal(ours(images), theirs(images))


def test_a_changed_ingredient_is_noticed(registry: Path) -> None:
    """Whether its file was changed, or another model was registered under its name."""
    register_model(registry, draft_soup("mixed", ["first", "second"], [1, 1], 2, registry=registry))
    before = find_model("mixed", registry=registry).digest
    weights = registry.parent / "second.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DigestMismatch):
        load_model("mixed", registry=registry)
    with pytest.raises(Conflict, match="mixed"):
        unregister_model(registry, "second")
    unregister_model(registry, "second", force=True)
    add(registry, "second", {k: v + 1 for k, v in safetensors.torch.load(whole).items()})
    with pytest.raises(NotFound, match="second"):
        load_model("mixed", registry=registry)
    assert draft_soup("anew", ["first", "second"], [1, 1], 2, registry=registry).digest != before


def test_the_digest_covers_weights_and_ingredients(registry: Path) -> None:
    """Another share or another order is another classifier; another name is not."""
    drafts = [
        draft_soup(name, parts, weights, 5, registry=registry)
        for name, parts, weights in (
            ("a", ["first", "second"], [2, 3]),
            ("a", ["first", "second"], [3, 2]),
            ("a", ["second", "first"], [2, 3]),
        )
    ]
    assert len({each.digest for each in drafts}) == 3
    assert drafts[0].digest == draft_soup("b", ["first", "second"], [2, 3], 5, registry=registry).digest


def test_models_that_are_not_alike_are_refused(registry: Path) -> None:
    """Another normalisation is another function of the pixels; a soup of soups hides its weights."""
    add(registry, "third", load_model("first", registry=registry).module.network.state_dict(), 0.4)  # type: ignore[union-attr]
    with pytest.raises(InvalidParameter, match="mean"):
        draft_soup("odd", ["first", "third"], [1, 1], 2, registry=registry)
    register_model(registry, draft_soup("mixed", ["first", "second"], [1, 1], 2, registry=registry))
    with pytest.raises(InvalidParameter, match="mixed is made of others"):
        draft_soup("odd", ["mixed", "first"], [1, 1], 2, registry=registry)
    with pytest.raises(InvalidParameter, match="sum to one"):
        draft_soup("odd", ["first", "second"], [1, 2], 2, registry=registry)


def test_negative_variances_are_refused_or_estimated_anew(registry: Path, tmp_path: Path) -> None:
    """The extrapolated soup is refused as it is; with noisy calibration images it is registered and loads."""
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.zeros(64, dtype=np.int64))
    asked = ("far", ["first", "second"], "4,-3", 1)
    with pytest.raises(InvalidParameter, match="negative"):
        cook(*asked, None, "0:64", None, 0, 32, registry)
    dataset = f"npz:{tmp_path / 'images.npz'}"
    with pytest.raises(InvalidParameter, match="--sigma"):
        cook(*asked, dataset, "0:64", None, 0, 32, registry)
    made = cook(*asked, dataset, "0:64", 0.25, 0, 32, registry)
    assert made.soup.calibration is not None
    assert made.soup.calibration.image_ids == tuple(range(64))
    assert bool(torch.isfinite(load_model("far", registry=registry).module(torch.rand(2, *SHAPE))).all())
    (tmp_path / "far.statistics.safetensors").write_bytes(b"other")
    with pytest.raises(DigestMismatch):
        load_model("far", registry=registry)


@pytest.mark.parametrize(
    ("text", "units", "found"),
    [
        ("0.6,0.4", None, ((6, 4), 10)),
        ("-.4,1.4", None, ((-4, 14), 10)),
        ("1,0", None, ((1, 0), 1)),
        ("3,2", 5, ((3, 2), 5)),
    ],
)
def test_weights_are_taken_exactly_as_written(
    text: str, units: int | None, found: tuple[tuple[int, ...], int]
) -> None:
    """Decimals are whole numbers of decimal steps, never floats."""
    assert parse_weights(text, units) == found


@pytest.mark.parametrize(
    ("text", "units"), [("a,b", None), (".00001,1", None), (".5,1.5", 2), ("inf,0", None)]
)
def test_weights_that_are_none_are_refused(text: str, units: int | None) -> None:
    """With a sentence, not with another soup."""
    with pytest.raises(InvalidParameter):
        parse_weights(text, units)


def test_an_ensemble_is_an_ordinary_model(registry: Path) -> None:
    """It is found and pinned as others are, and answers with the mean of its members' probabilities."""
    register_model(registry, draft_soup("mixed", ["first", "second"], [3, 2], 5, registry=registry))
    register_model(registry, draft_ensemble("both", ["first", "mixed"], registry=registry))
    found = find_model("both", registry=registry)
    assert isinstance(found, EnsembleSpecification)
    assert (found.input_shape, found.num_classes, found.training_sigma) == (SHAPE, 10, 0.25)
    assert parts_of(found) == found.ensemble
    loaded = load_model(found.reference, registry=registry)
    assert loaded.reference == found.reference
    images = torch.rand(5, *SHAPE)
    parts = [load_model(name, registry=registry).module(images).softmax(dim=1) for name in ("first", "mixed")]
    expected = (parts[0] + parts[1]) / 2
    torch.testing.assert_close(loaded.module(images).softmax(dim=1), expected)
    with pytest.raises(Conflict, match="both"):
        unregister_model(registry, "mixed")


def test_an_ensemble_is_the_one_of_a_sweep(registry: Path) -> None:
    """Registered or made in a sweep, it has one digest: its counts belong to one classifier."""
    found = draft_ensemble("both", ["first", "second"], registry=registry)
    family = SoupFamily(found.ensemble, lambda each: load_model(each, registry=registry))
    assert family.ensemble().digest == found.digest
    assert draft_ensemble("b", ["second", "first"], registry=registry).digest != found.digest


def test_nothing_is_loaded_that_is_made_of_a_mixture(registry: Path) -> None:
    """Whatever stands in the file: of a mixture half would be left out, under a digest that covers both."""
    mixture = draft_mixture("mixed", "first", "second", 0.9, registry=registry)
    register_model(registry, mixture)
    pair = (mixture.reference, find_model("first", registry=registry).reference)
    kept = {"input_shape": SHAPE, "num_classes": 10}
    register_model(registry, EnsembleSpecification(name="both", ensemble=pair, **kept))
    averaged = Soup(ingredients=pair, weights=(1, 1), units=2)
    register_model(registry, SoupSpecification(name="averaged", soup=averaged, **kept))
    mixing = mixture.mixture.model_copy(update={"standard": pair[0], "robust": pair[1]})
    register_model(registry, mixture.model_copy(update={"name": "again", "mixture": mixing}))
    for name in ("both", "averaged", "again"):
        with pytest.raises(InvalidParameter, match="mixed is a mixture"):
            load_model(name, registry=registry)


def test_what_makes_no_ensemble_is_refused(registry: Path) -> None:
    """One member, other images, an ensemble inside an ensemble, a member that changed."""
    for members, words in ((["first"], "at least two"), (["first", "digits-cnn"], "other images")):
        with pytest.raises(InvalidParameter, match=words):
            draft_ensemble("x", members, registry=registry)
    with pytest.raises(NotFound):
        draft_ensemble("x", ["first", "nobody"], registry=registry)
    register_model(registry, draft_ensemble("both", ["first", "second"], registry=registry))
    with pytest.raises(InvalidParameter, match="made of others"):
        draft_ensemble("x", ["first", "both"], registry=registry)
    with pytest.raises(InvalidParameter, match="made of others"):
        draft_soup("x", ["first", "both"], [1, 1], 2, registry=registry)
    file = registry.parent / "second.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(DigestMismatch):
        load_model("both", registry=registry)
