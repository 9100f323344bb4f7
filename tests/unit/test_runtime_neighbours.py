"""A row's answer is its own: networks that look at the rest of the batch are refused before a draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import certd
from certd.errors import ModelError
from certd.models import BaseClassifier, Declaration, open_model
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import assemble, prepare
from tests.unit.runtime_networks import ROWS, classify, conv, head

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certd.models.runtime.arithmetic import AskedDtype

OTHERS = "other images of its batch"
TWO_WAYS = "in two ways"


class Answering(nn.Module):
    """Return what ``answer`` makes of rows of pixels."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        return self._answer(images.flatten(1)[:, :10])


def _by(answer: Callable[[Tensor], Tensor]) -> BaseClassifier:
    return classify(Answering(answer))


def _batch_norm() -> BaseClassifier:
    return classify(nn.Sequential(conv(), nn.BatchNorm2d(4, track_running_stats=False), head()))


def _quantised_by_the_batch(rows: Tensor) -> Tensor:
    return (rows / rows.abs().max() * 127).round()


def _read_in_a_chain(rows: Tensor) -> Tensor:
    return rows.cumsum(0)


def _read_from_the_first(rows: Tensor) -> Tensor:
    return rows + rows[:1]


def _read_from_the_last(rows: Tensor) -> Tensor:
    return rows + rows[-1:]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "checked"])
def test_statistics_of_the_batch_are_refused(dtype: AskedDtype) -> None:
    """Batch-norm without running statistics, folded or not, in each type."""
    for fold in (True, False):
        with pytest.raises(ModelError, match=OTHERS):
            prepare(_batch_norm(), ExecutionArithmetic(dtype=dtype, fold=fold), ROWS)


@pytest.mark.parametrize("rows", [2, 3, ROWS])
@pytest.mark.parametrize(
    "answer", [_quantised_by_the_batch, _read_in_a_chain, _read_from_the_first, _read_from_the_last]
)
def test_one_row_that_reads_another_is_refused(answer: Callable[[Tensor], Tensor], rows: int) -> None:
    """Whichever other row it is, or all of them, and however few rows there are."""
    if (answer, rows) == (_read_from_the_last, 2):
        return  # The row that is watched is the last one, and reads itself.
    with pytest.raises(ModelError, match=OTHERS):
        prepare(_by(answer), ExecutionArithmetic(), rows)


def test_a_graph_that_quantises_by_the_batch_is_refused(tmp_path: Path) -> None:
    """An ONNX graph is as much a network as any other."""
    weights = np.random.default_rng(0).integers(-127, 128, (64, 10)).astype(np.int8)
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("DynamicQuantizeLinear", ["flat"], ["levels", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["levels", "weights", "zero"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["logits"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])
    held = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "graph", [pixels], [logits], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    declared = Declaration(name="m", input_shape=(1, 8, 8), num_classes=10, mean=(0.0,), std=(1.0,))
    classifier = open_model("onnx:m.onnx", declared, folder=tmp_path)
    with pytest.raises(ModelError, match=OTHERS):
        prepare(classifier, ExecutionArithmetic(), 50)


@pytest.mark.parametrize("rows", [1, ROWS])
def test_a_network_that_is_no_function_is_refused_in_its_own_words(rows: int) -> None:
    """Noise of the network's own answers one batch in two ways, with neighbours and without."""
    with pytest.raises(ModelError, match=TWO_WAYS):
        prepare(_by(lambda pixels: pixels + torch.rand_like(pixels)), ExecutionArithmetic(), rows)


def test_one_row_has_no_neighbours() -> None:
    """In batches of one the statistics of the batch are a function of the image."""
    assert prepare(_batch_norm(), ExecutionArithmetic(), 1).execution.batch_size == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows + torch.arange(len(rows))[:, None],
        lambda rows: rows / len(rows),
        lambda rows: rows.log(),
        lambda rows: rows / 0.0,
    ],
)
def test_place_shape_and_undefined_logits_are_no_neighbours(answer: Callable[[Tensor], Tensor]) -> None:
    """Rounding by the place and by the batch's shape is a kernel's right; NaN is refused where it votes."""
    prepare(_by(answer), ExecutionArithmetic(), ROWS)


def test_nothing_is_certified_by_the_company_an_image_keeps() -> None:
    """One call of the library with such a network ends before its first draw."""
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64, track_running_stats=False), nn.Linear(64, 2))
    classifier = BaseClassifier.from_module(network, "coupled", (1, 8, 8), 2)
    images = np.full((2, 1, 8, 8), 100, dtype=np.uint8)
    with pytest.raises(ModelError, match="coupled answers an image by"):
        certd.certify(classifier, images, sigma=0.25, plan="fixed", n0=10, n=100, seed=1)


def test_what_is_only_timed_is_not_compared() -> None:
    """The search for a batch size classifies nothing that counts."""
    assert assemble(_batch_norm(), ExecutionArithmetic(), ROWS).execution.batch_norms_left == 1
