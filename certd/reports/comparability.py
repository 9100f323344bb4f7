"""Whether the numbers of two runs mean the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.results import Results

OF_THE_MODEL = {"mixture", "mixture_of", "mixture_bounds"}
"""Settings that say what a model is: models are what is compared."""


def differences(first: Results, second: Results) -> tuple[str, ...]:
    """Return the conditions in which two runs differ, as phrases; empty when their numbers can be compared.

    Sigma, budget, alpha, noise, norm, arithmetic, plan and its options, data set and images must agree. The
    models may differ: they are what is compared.
    """
    names = sorted((first.settings.keys() | second.settings.keys()) - OF_THE_MODEL)
    found = [
        f"{name}: {first.settings.get(name, 'none')} against {second.settings.get(name, 'none')}"
        for name in names
        if first.settings.get(name) != second.settings.get(name)
    ]
    if first.dataset != second.dataset:
        found.append(f"dataset: {first.dataset or 'unnamed'} against {second.dataset or 'unnamed'}")
    if not np.array_equal(first.image_ids, second.image_ids):
        found.append(f"images: {len(first)} against {len(second)}, not the same ones")
    return tuple(found)


def require_comparable(runs: Sequence[Results], *, force: bool = False) -> tuple[str, ...]:
    """Refuse runs under unequal conditions, or return the marks that a forced comparison must carry.

    Args:
        runs: Two or more; each is held against the first.
        force: Compare although conditions differ.

    Raises:
        InvalidParameter: If conditions differ and ``force`` is not given.
    """
    marks = tuple(dict.fromkeys(mark for other in runs[1:] for mark in differences(runs[0], other)))
    if marks and not force:
        raise InvalidParameter(
            f"These runs differ in {'; '.join(marks)}. Their numbers do not mean the same; pass force to "
            "compare nonetheless, and keep the marks beside the result."
        )
    return marks
