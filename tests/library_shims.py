"""What lets the field's libraries import beside a CPU build of torch."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType
from typing import Any

import torch

OPERATORS = ("nms", "qnms")


@cache
def declare_torchvision_operators() -> Any:
    """Declare the operators that torchvision registers fakes for.

    PyPI's torchvision is built for CUDA; beside a CPU build of torch its compiled part does not load, and the
    package fails to import although its networks need none of it. Returns what keeps the declaration alive.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]
    return library


def pretend_autoattack() -> None:
    """Put an empty ``autoattack`` where robustbench imports it: its networks attack nobody."""
    for name, member in (("autoattack", "AutoAttack"), ("autoattack.state", "EvaluationState")):
        module = ModuleType(name)
        setattr(module, member, None)
        sys.modules.setdefault(name, module)
