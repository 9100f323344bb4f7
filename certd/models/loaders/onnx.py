"""Networks in ONNX files, run by onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from certd.datasets.extras import import_extra
from certd.errors import ModelError, OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FLAT, IMAGES = 2, 4
"""Axes of an input that takes rows of pixels, and of one that takes images."""
NO_ROOM = "Failed to allocate memory"
"""What onnxruntime says, in words alone, where memory ran out."""


class OnnxNetwork(nn.Module):
    """One ONNX graph with one input and one output, in float32 on the processor.

    Exported graphs take what their framework took: images with the channels last, rows of pixels, or one
    image at a time. Each is fed so; a fixed batch is filled up by repeating the last image. The graph is read
    from bytes, so it can name no other file. Logits return to the device of the images.

    Args:
        data: The whole file.
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
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        try:
            self._session: Any = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except self._errors as error:
            raise ModelError(f"{name} is no graph that onnxruntime runs: {error}.") from error
        self._input, self._axes = _only_input(self._session, name)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``.

        Raises:
            ModelError: If the graph takes images of another shape, or fails on these.
            OutOfMemory: If it finds no memory for so many.
        """
        pixels = images.detach().to("cpu", torch.float32).contiguous().numpy()
        fed = self._as_declared(pixels)
        try:
            logits = [
                self._session.run(None, {self._input: batch})[0][:real] for batch, real in self._batches(fed)
            ]
        except self._errors as error:
            shape = tuple(images.shape)
            if NO_ROOM in str(error):
                raise OutOfMemory(f"{self._name} finds no memory for a batch of shape {shape}.") from error
            raise ModelError(f"{self._name} does not run on {shape} images: {error}.") from error
        return torch.from_numpy(np.concatenate(logits)).to(images.device)

    def _as_declared(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the pixels in the layout that the graph declares."""
        _, channels, height, width = pixels.shape
        declared = self._axes[1:]
        if _admits(declared, (channels, height, width)):
            return pixels
        if _admits(declared, (height, width, channels)):
            return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        if _admits(declared, (channels * height * width,)):
            return pixels.reshape(len(pixels), -1)
        raise ModelError(
            f"{self._name} takes inputs of shape {declared}; images of {(channels, height, width)} fit it "
            "neither as they are, nor with the channels last, nor as one row."
        )

    def _batches(self, pixels: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Yield what the graph takes at once, and how many of it are images."""
        size = self._axes[0]
        if not isinstance(size, int):
            yield pixels, len(pixels)
            return
        for start in range(0, len(pixels), size):
            part = pixels[start : start + size]
            missing = size - len(part)
            yield np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]), len(part)


def _admits(declared: list[Any], shape: tuple[int, ...]) -> bool:
    """Return whether declared axes, numbers or names, leave room for a shape."""
    return len(declared) == len(shape) and all(
        not isinstance(axis, int) or axis == side for axis, side in zip(declared, shape, strict=True)
    )


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises: classes of its own, which share no ancestor but ``Exception``."""
    native = import_extra("onnxruntime.capi.onnxruntime_pybind11_state", "onnx")
    own = [value for value in vars(native).values() if isinstance(value, type)]
    return (RuntimeError, ValueError, *(error for error in own if issubclass(error, Exception)))


def _only_input(session: Any, name: str) -> tuple[str, list[Any]]:
    """Return the name and the declared axes of the one input."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{name} has {len(inputs)} inputs and {len(outputs)} outputs; a base classifier has one of each."
        )
    axes = list(inputs[0].shape)
    if len(axes) not in {FLAT, IMAGES}:
        raise ModelError(f"{name} takes inputs of {len(axes)} axes; images have 4, rows of pixels 2.")
    return str(inputs[0].name), axes
