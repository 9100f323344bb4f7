"""A report over a million images holds distinct outcomes, and says what the report over every image says."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from certd.errors import InvalidParameter
from certd.local import certify
from certd.reports.condensation import Condenser
from certd.reports.page import page_of_results
from certd.reports.results import Results, joined, results_of
from certd.reports.results_file import read_stored
from certd.reports.summary import summarize_results
from certd.smoothing import write_run
from certd.statistics.simultaneous import holm

if TYPE_CHECKING:
    from certd.smoothing.run import Run

IMAGES, CLASSES = 4000, 3


def _run(*, plan: str = "fixed", labelled: bool = True, images: int = 2) -> Run:
    pixels = np.random.default_rng(1).integers(0, 256, (images, 1, 8, 8), np.uint8)
    labels = np.arange(images) % 10 if labelled else None
    return certify("digits-cnn", pixels, labels, sigma=0.25, plan=plan, n=100, seed=1)


def _parts(run: Run, seed: int, *, size: int = 640) -> list[Results]:
    """Return random outcomes under a run's manifest: right, wrong and abstained, many of them equal."""
    whole, random = _random(run, np.random.default_rng(seed)), range(0, IMAGES, size)
    return [_slice(whole, start, start + size) for start in random]


def _random(run: Run, random: np.random.Generator) -> dict[str, Any]:
    labels = random.integers(0, CLASSES, IMAGES)
    counts = random.integers(30, 101, IMAGES)
    top = np.where(random.random(IMAGES) < 0.7, labels, (labels + 1) % CLASSES)
    guarantee, alpha = run.manifest.guarantee, run.manifest.settings["alpha"]
    radii = np.array([guarantee.bound(int(k), 100, alpha).radius for k in counts])
    label_counts = np.where(top == labels, counts, random.integers(0, 101 - counts))
    voted = np.where(2 * counts > 100, top, labels)
    return {
        "labels": labels, "top_classes": top, "certified": radii > 0, "radii": radii, "top_counts": counts,
        "label_counts": label_counts, "draws": np.full(IMAGES, 100), "voted_classes": voted,
    }  # fmt: skip


def _slice(whole: dict[str, Any], start: int, stop: int) -> Results:

    columns = {name: column[start:stop] for name, column in whole.items()}
    ids = np.arange(start, min(stop, IMAGES), dtype=np.uint64)
    return replace(results_of(_FIXED), **columns, image_ids=ids, total_draws=110 * len(ids), requested=IMAGES)


_FIXED = _run()


def _condensed(parts: list[Results]) -> Results:
    condenser = Condenser()
    for part in parts:
        condenser.add(part)
    return condenser.result()


def _close(one: Any, other: Any, where: str = "") -> None:
    """Compare two reports: the same keys, words and whole numbers, and floats to 1e-12."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            _close(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            _close(a, b, f"{where}[{i}]")
    elif isinstance(one, float):
        assert math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15), (where, one, other)
    else:
        assert one == other, where


@pytest.mark.parametrize("seed", range(5))
def test_the_report_is_that_of_every_image(seed: int) -> None:
    """Right, wrong and abstained images; every number, statement and warning."""
    parts = _parts(_FIXED, seed)
    plain, condensed = joined(parts), _condensed(parts)
    assert len(condensed) == len(plain) == IMAGES
    assert len(condensed.radii) < IMAGES
    _close(summarize_results(plain, _FIXED.manifest), summarize_results(condensed, _FIXED.manifest))


def test_the_page_is_that_of_every_image() -> None:
    """Every table and sentence, letter by letter; a curve may leave out points on a straight line."""
    parts = _parts(_FIXED, 7)
    pages = [page_of_results(one, _FIXED.manifest) for one in (joined(parts), _condensed(parts))]
    words = [re.sub(r' d="[^"]*"', "", page) for page in pages]
    assert words[0] == words[1]


def test_images_are_told_apart_by_what_the_report_says_of_them() -> None:
    """Merging what differs would show: of a row that counts once too often the report changes."""
    parts = _parts(_FIXED, 3)
    condensed = _condensed(parts)
    assert condensed.weights is not None
    weights = condensed.weights.copy()
    weights[0] += 1

    spoilt = replace(condensed, weights=weights)
    with pytest.raises(AssertionError):
        _close(summarize_results(condensed, _FIXED.manifest), summarize_results(spoilt, _FIXED.manifest))


@pytest.mark.parametrize("plan", ["fixed", "radii"])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_file_is_condensed_beyond_a_number_of_images(plan: str, labelled: bool) -> None:  # noqa: FBT001
    """Real certificates, read from their file both ways."""
    run = _run(plan=plan, labelled=labelled, images=24)
    stream = io.BytesIO()
    write_run(stream, run)
    plain, condensed = (read_stored(stream, most).results for most in (24, 23))
    assert (plain.order is None, condensed.order is None) == (True, False)
    _close(summarize_results(plain, run.manifest), summarize_results(condensed, run.manifest))


def test_memory_follows_the_outcomes() -> None:
    """Ten times the images of the same outcomes need no further rows, and six bytes each."""
    parts = _parts(_FIXED, 2)
    once, often = _condensed(parts), _condensed(parts * 10)
    assert len(often) == 10 * IMAGES
    assert len(often.radii) == len(once.radii)
    assert often.order is not None
    assert often.voted_classes is not None
    assert (often.order.nbytes + often.voted_classes.nbytes) / len(often) == 6


def test_what_is_not_votes_alone_is_refused() -> None:
    """A part without votes cannot be condensed, nor can nothing at all."""
    with pytest.raises(InvalidParameter, match="votes"):
        Condenser().add(replace(_parts(_FIXED, 1)[0], voted_classes=None))
    with pytest.raises(InvalidParameter, match="at least one"):
        Condenser().result()


def test_labels_are_all_or_none() -> None:
    """Half a labelled run would count the others as wrong."""
    part = _parts(_FIXED, 1)[0]
    condenser = Condenser()
    condenser.add(part)
    with pytest.raises(InvalidParameter, match="labelled"):
        condenser.add(replace(part, labels=None, label_counts=None))


@pytest.mark.parametrize("seed", range(20))
def test_holm_over_groups_is_holm_over_images(seed: int) -> None:
    """Ties at the step where the procedure ends are the hard case: few counts, many images."""
    random = np.random.default_rng(seed)
    counts, weights = np.arange(60, 101), random.integers(0, 6, 41)
    marked = holm(counts, 100, 0.5, 0.05, weights)
    every = holm(np.repeat(counts, weights), 100, 0.5, 0.05)
    assert np.array_equal(np.repeat(marked, weights), every)
