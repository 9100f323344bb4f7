"""Networks in ONNX files, run by onnxruntime."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from certd.datasets.extras import import_extra
from certd.errors import ModelError


class OnnxNetwork(nn.Module):
    """One ONNX graph with one input and one output, in float32 on the processor.

    The graph is read from bytes, so it can name no other file. Logits return to the device of
    the images.

    Args:
        data: The whole file; its first axis must be dynamic, since batches differ in size.
        name: What to call it in a refusal.

    Raises:
        Unavailable: If onnxruntime is not installed.
        ModelError: If the file is no such graph.
    """

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__()
        self._name = name
        runtime = import_extra("onnxruntime", "onnx")
        self._errors = _runtime_errors()
        try:
            self._session: Any = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
        except self._errors as error:
            raise ModelError(f"{name} is no graph that onnxruntime runs: {error}.") from error
        self._input = _only_input(self._session, name)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        pixels = images.detach().to("cpu", torch.float32).contiguous().numpy()
        try:
            (logits,) = self._session.run(None, {self._input: pixels})
        except self._errors as error:
            raise ModelError(
                f"{self._name} does not run on {tuple(images.shape)} images: {error}."
            ) from error
        return torch.from_numpy(logits).to(images.device)


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises: classes of its own, which share no ancestor but ``Exception``."""
    native = import_extra("onnxruntime.capi.onnxruntime_pybind11_state", "onnx")
    own = [value for value in vars(native).values() if isinstance(value, type)]
    return (RuntimeError, ValueError, *(error for error in own if issubclass(error, Exception)))


def _only_input(session: Any, name: str) -> str:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{name} has {len(inputs)} inputs and {len(outputs)} outputs; a base classifier has one of each."
        )
    if isinstance(inputs[0].shape[0], int):
        raise ModelError(
            f"{name} takes batches of {inputs[0].shape[0]} only; export it with a dynamic first axis."
        )
    return str(inputs[0].name)
