"""Models that fail while they run: each ends its job with the evidence, and the service goes on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import onnx
import pytest
import safetensors.torch
import torch
from onnx import TensorProto, helper

from certd.models.registry import BUILTIN_FOLDER
from tests.integration.conftest import REQUEST, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

TOO_MUCH = 2**50
"""Floats that no machine has room for."""

RAISES = [
    helper.make_node("Cast", ["mean"], ["place"], to=TensorProto.INT64),
    helper.make_node("Constant", [], ["far"], value_int=1_000_000),
    helper.make_node("Add", ["place", "far"], ["beyond"]),
    helper.make_node("Gather", ["logits of all", "beyond"], ["logits"], axis=1),
]
EXHAUSTS = [
    helper.make_node("Constant", [], ["vast"], value_ints=[TOO_MUCH]),
    helper.make_node("Expand", ["mean", "vast"], ["copies"]),
    helper.make_node("ReduceMean", ["copies"], ["again"], keepdims=0),
    helper.make_node("Add", ["logits of all", "again"], ["logits"]),
]
HARMLESS = [helper.make_node("Identity", ["logits of all"], ["logits"])]

ATTEMPTS = {"exhausts": 2}
"""Memory may be there the next time; all else is not tried again."""
ENDS = {
    "nan": ("non-finite-logits", "NaN"),
    "other-classes": ("model-error", "weights"),
    "raises": ("model-error", "does not run"),
    "other-shape": ("model-error", "expected"),
    "exhausts": ("model-error", "finds no memory"),
}


def _graph(nodes: list[onnx.NodeProto], classes: int = 10) -> bytes:
    """Return an ONNX file of a dense layer and of what ``nodes`` make of its logits and its input's mean."""
    first = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
        helper.make_node("Flatten", ["pixels"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["logits of all"]),
    ]
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [64, classes], [0.1] * 64 * classes)
    graph = helper.make_graph(
        [*first, *nodes],
        "failing",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def _weights(fill: float | None = None) -> bytes:
    """Return the built-in model's weights, or as many that all are ``fill``."""
    state = safetensors.torch.load((BUILTIN_FOLDER / "digits-cnn.safetensors").read_bytes())
    if fill is not None:
        state = {name: torch.full_like(tensor, fill) for name, tensor in state.items()}
    return safetensors.torch.save(state)


def _register(folder: Path, models: dict[str, tuple[str, bytes, dict[str, Any]]]) -> str:
    """Register files under names, beside what else differs from the built-in model; return the registry."""
    folder.mkdir()
    sidecar = json.loads((BUILTIN_FOLDER / "digits-cnn.json").read_text())
    del sidecar["name"]
    entries = {}
    for name, (suffix, content, members) in models.items():
        (folder / f"{name}.{suffix}").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries[name] = {**sidecar, "uri": f"{name}.{suffix}", "sha256": digest, **members}
    (folder / "models.yaml").write_text(json.dumps(entries))
    return str(folder / "models.yaml")


def failing_model(folder: Path) -> str:
    """Register the model ``broken``, which answers NaN, and return the registry's path."""
    return _register(folder, {"broken": ("safetensors", _weights(float("nan")), {})})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serve one model for each way to fail."""
    folder = tmp_path_factory.mktemp("failing")
    graph = {"architecture": "onnx"}
    registry = _register(
        folder / "models",
        {
            "nan": ("safetensors", _weights(float("nan")), {}),
            "other-classes": ("safetensors", _weights(), {"num_classes": 11}),
            "raises": ("onnx", _graph(RAISES), graph),
            "other-shape": ("onnx", _graph(HARMLESS, classes=11), graph),
            "exhausts": ("onnx", _graph(EXHAUSTS), graph),
        },
    )
    with running(folder / "data", CERTD_MODELS=registry, CERTD_MAX_ATTEMPTS="2") as service:
        yield service


@pytest.mark.parametrize("model", ENDS)
def test_a_model_that_fails_ends_its_job_with_the_evidence(stack: Service, model: str) -> None:
    """NaN, an exception, another shape, no memory: told at once, and the next job is done."""
    code, evidence = ENDS[model]
    job = stack.client.submit({**REQUEST, "model": model})
    ended = stack.client.wait(job["id"], timeout_seconds=60)
    assert (ended["status"], ended["error"]["code"]) == ("failed", code), ended["error"]
    assert evidence in ended["error"]["detail"]
    failed = [event for event in stack.events("attempt_failed") if event["job_id"] == job["id"]]
    attempts = Counter(event["shard"] for event in failed)
    assert max(attempts.values()) == ATTEMPTS.get(model, 1)
    sound = stack.client.submit({**REQUEST, "limit": 2, "n": 100})
    assert stack.client.wait(sound["id"], timeout_seconds=60)["status"] == "succeeded"
    assert len(stack.worker_pids()) == 1
