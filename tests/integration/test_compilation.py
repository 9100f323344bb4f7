"""Compiling a classifier: a compiler is called, kernels are kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CHECKOUT, skip_or_fail

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

COMPILE = """
import sys
from pathlib import Path

import torch
from torch import nn

from certd.errors import ModelError
from certd.models.runtime import compilation
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.compilation import keep_compilations
from certd.models.runtime.prepare import prepare
from tests.unit.runtime_networks import ROWS, classify, conv, head, largest_difference, noisy

torch.set_num_threads(1)
keep_compilations(Path(sys.argv[1]))
classifier = classify(nn.Sequential(conv(), nn.BatchNorm2d(4), nn.ReLU(), head()))
prepared = prepare(classifier, ExecutionArithmetic(compiled=True), ROWS)
assert prepared.execution.compiled
assert largest_difference(prepared, classifier, noisy()) < 1e-4
assert torch.equal(prepared(noisy()), prepared(noisy()))

compilation.MOST_COMPILATIONS = 1
try:
    prepare(classifier, ExecutionArithmetic(compiled=True), 2 * ROWS)
except ModelError as error:
    assert "recompile" in error.message
else:
    raise AssertionError("what could not be compiled ran uncompiled, and was called compiled")
"""


def test_a_compiled_classifier_votes_as_the_plain_one(tmp_path: Path) -> None:
    """Compiling changes rounding only, repeats itself, keeps its kernels, and never falls back in silence."""
    if shutil.which("g++") is None:
        skip_or_fail("compiling needs a C++ compiler")
    subprocess.run([sys.executable, "-c", COMPILE, str(tmp_path)], cwd=CHECKOUT, check=True)
    assert any(tmp_path.rglob("*.so"))
