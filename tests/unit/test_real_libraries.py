"""The field's libraries themselves: networks saved here with random weights come back as they were."""

from __future__ import annotations

import importlib
import json
import math
import os
from typing import TYPE_CHECKING, Any

import pytest
import safetensors.torch
import torch
from torch import nn

from certd.errors import ModelError
from certd.local import certify
from certd.models import Declaration, load_model, open_model, register_model
from certd.models.draft import draft_model
from tests.library_shims import declare_torchvision_operators, pretend_autoattack

if TYPE_CHECKING:
    from pathlib import Path

    from certd.models import BaseClassifier

# These libraries announce each other's deprecations while they are imported.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SMALL = Declaration(name="m", input_shape=(3, 32, 32), num_classes=4, mean=(0.5,) * 3, std=(0.25,) * 3)


def _library(name: str, *, ci: bool = True) -> Any:
    """Import a library, or skip; where the development extra brings it, CI fails without it."""
    declare_torchvision_operators()
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if ci and os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed: {error}")
        pytest.skip(f"{name} is not installed: {error}")


def _agrees(classifier: BaseClassifier, source: nn.Module) -> None:
    images = torch.rand(2, *classifier.input_shape)
    with torch.inference_mode():
        expected = source.eval()((images - 0.5) / 0.25)
        assert torch.allclose(classifier.module(images), expected, atol=1e-5)


@pytest.mark.parametrize("scheme", ["torchvision", "timm"])
def test_a_library_s_own_network_takes_its_weights(scheme: str, tmp_path: Path) -> None:
    """resnet18 is built by the library and filled from a file; nothing is downloaded."""
    if scheme == "torchvision":
        source = _library("torchvision").models.resnet18(num_classes=4)
    else:
        source = _library("timm").create_model("resnet18", num_classes=4)
    (tmp_path / "w.safetensors").write_bytes(safetensors.torch.save(source.state_dict()))
    _agrees(open_model(f"{scheme}:resnet18?weights=w.safetensors", SMALL, folder=tmp_path), source)


def test_a_transformers_model_is_certified_from_its_folder(tmp_path: Path) -> None:
    """A tiny vision transformer as save_pretrained writes it: opened, and certified."""
    transformers = _library("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32,
        patch_size=8, num_labels=4,
    )  # fmt: skip
    torch.manual_seed(0)
    source = transformers.ViTForImageClassification(config).eval()
    source.save_pretrained(tmp_path)
    classifier = open_model("hf:.", SMALL, folder=tmp_path)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        expected = source(pixel_values=(images - 0.5) / 0.25).logits
        assert torch.allclose(classifier.module(images), expected, atol=1e-5)
    pixels = (images * 255).byte().numpy()
    run = certify(classifier, pixels, sigma=0.1, plan="fixed", n=50, seed=1)
    assert len(run.certificates) == 2


def test_a_transformers_configuration_opens_no_other_file(tmp_path: Path) -> None:
    """What wraps a network of timm would load any checkpoint that it names."""
    _library("transformers")
    _library("timm")
    members = {
        "model_type": "timm_wrapper", "architecture": "resnet18", "num_labels": 4,
        "model_args": {"checkpoint_path": str(tmp_path / "absent.pth")},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(members))
    (tmp_path / "model.safetensors").write_bytes(safetensors.torch.save({"w": torch.zeros(1)}))
    with pytest.raises(ModelError, match="timm_wrapper"):
        open_model("hf:.", SMALL, folder=tmp_path)


def _onnx(path: Path, shape: list[Any], *, channels_last: bool = False, flat: bool = False) -> nn.Module:
    """Write a graph of one dense layer for inputs of ``shape``; return what it computes on NCHW images."""
    onnx = _library("onnx")
    torch.manual_seed(0)
    named = not all(isinstance(side, int) for side in shape[1:])
    dense = nn.Linear(60 if named else math.prod(shape[1:]), 4)
    helper, proto = onnx.helper, onnx.TensorProto
    nodes, pixels = [], "pixels"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [pixels], ["nchw"], perm=[0, 3, 1, 2]))
        pixels = "nchw"
    if not flat:
        nodes.append(helper.make_node("Flatten", [pixels], ["flat"], axis=1))
        pixels = "flat"
    nodes.append(helper.make_node("Gemm", [pixels, "w", "b"], ["logits"], transB=1))
    weights = [
        helper.make_tensor(name, proto.FLOAT, list(value.shape), value.detach().flatten().tolist())
        for name, value in (("w", dense.weight), ("b", dense.bias))
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("pixels", proto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", proto.FLOAT, [shape[0], 4])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return nn.Sequential(nn.Flatten(), dense)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        (["n", 3, 4, 5], {}),
        ([1, 3, 4, 5], {}),
        ([1, 4, 5, 3], {"channels_last": True}),
        (["n", 60], {"flat": True}),
    ],
    ids=["free batch", "batch of one", "channels last", "flattened"],
)
def test_an_onnx_graph_is_adapted_to_what_it_takes(
    shape: list[Any], options: dict[str, bool], tmp_path: Path
) -> None:
    """A fixed batch of one, NHWC and flat inputs: exported graphs come in all of them."""
    _library("onnxruntime")
    source = _onnx(tmp_path / "m.onnx", shape, **options)
    declared = Declaration(name="m", input_shape=(3, 4, 5), num_classes=4, mean=(0.5,) * 3, std=(0.25,) * 3)
    classifier = open_model("onnx:m.onnx", declared, folder=tmp_path)
    images = torch.rand(3, 3, 4, 5)
    with torch.inference_mode():
        assert torch.allclose(classifier.module(images), source((images - 0.5) / 0.25), atol=1e-4)


def test_an_onnx_graph_that_cannot_be_fed_is_refused(tmp_path: Path) -> None:
    """Of another size, of two inputs, or no graph at all: a sentence, not a crash of the runtime."""
    _library("onnxruntime")
    declared = Declaration(name="m", input_shape=(3, 4, 5), num_classes=4, mean=(0.5,) * 3, std=(0.25,) * 3)
    _onnx(tmp_path / "m.onnx", ["n", 3, 4, 6])
    with pytest.raises(ModelError, match="fit it neither"):
        open_model("onnx:m.onnx", declared, folder=tmp_path).module(torch.rand(1, 3, 4, 5))
    _onnx(tmp_path / "lies.onnx", ["n", "c", "h", "w"])
    with pytest.raises(ModelError, match="does not run"):
        open_model("onnx:lies.onnx", declared, folder=tmp_path).module(torch.rand(1, 3, 9, 9))
    (tmp_path / "two.onnx").write_bytes(_two_inputs())
    with pytest.raises(ModelError, match="2 inputs"):
        open_model("onnx:two.onnx", declared, folder=tmp_path)
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="no graph"):
        open_model("onnx:bad.onnx", declared, folder=tmp_path)


def _two_inputs() -> bytes:
    onnx = _library("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, kind, ["n", 4]) for name in ("a", "b")]
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["c"])],
        "g",
        inputs,
        [helper.make_tensor_value_info("c", kind, ["n", 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def test_a_robustbench_network_is_registered_with_its_conventions(tmp_path: Path) -> None:
    """Its package builds it; normalisation, shape and classes follow from the data set."""
    pretend_autoattack()
    zoo = _library("robustbench.model_zoo", ci=False)
    enums = importlib.import_module("robustbench.model_zoo.enums")
    models = zoo.model_dicts[enums.BenchmarkDataset.cifar_10][enums.ThreatModel.Linf]
    name = "Addepalli2022Efficient_RN18"
    source = models[name]["model"]().eval()
    torch.save(
        {"state_dict": {f"module.model.{key}": value for key, value in source.state_dict().items()}},
        tmp_path / "m.pt",
    )
    draft = draft_model(f"robustbench:cifar10/Linf/{name}?weights=m.pt", Declaration(name="rb"), tmp_path)
    register_model(tmp_path / "models.yaml", draft.specification)
    classifier = load_model("rb", registry=tmp_path / "models.yaml")
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(classifier.module(images), source(images), atol=1e-4)
