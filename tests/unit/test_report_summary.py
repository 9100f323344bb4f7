"""The JSON report of a run: its keys, its honesty about what is missing, and its speed."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest

from certd.models.runtime.arithmetic import Execution
from certd.reports import results_of, summarize
from certd.reports.radius import average_certified_radius
from certd.smoothing import Certificate, Draws, Manifest, Phase, Record, Run, parse_request

pytestmark = pytest.mark.slow

MODEL = "m@sha256:" + "0" * 64
EXECUTION = Execution(
    device="cpu",
    processor="any",
    dtype="float32",
    normalisation_folded=False,
    batch_norms_folded=0,
    batch_norms_left=0,
    channels_last=False,
    compiled=False,
    tf32=False,
    deterministic=True,
    batch_size=1,
    threads=1,
    torch="any",
)
KEYS = {
    "images",
    "settings",
    "pa_distribution",
    "certified_accuracy",
    "average_certified_radius",
    "abstention_rate",
    "max_radius",
    "acr_by_budget",
    "trivial_baseline",
    "easy_share",
    "confidence",
    "total_draws",
    "guarantees",
    "warnings",
    "manifest",
}


def _run(hits: list[int], *, labelled: bool = True, requested: int | None = None, **options: Any) -> Run:
    """Return a run in which image i has ``hits[i]`` of 1000 estimation draws for class 0."""
    asked = {"model": "m", "sigma": 0.5, "plan": "fixed", "n0": 10, "n": 1000, "seed": 1, **options}
    certification = parse_request(asked).resolve(MODEL, labelled=labelled)
    manifest = Manifest(
        certification=certification,
        dataset="made",
        num_images=requested or len(hits),
        input_shape=(1, 2, 2),
        num_classes=2,
        norm=certification.norm,
        max_radius=1.0,
        execution=EXECUTION,
        versions={},
    )
    guarantee = manifest.guarantee
    manifest = manifest.model_copy(update={"max_radius": certification.plan.max_radius(guarantee)})
    records = [_record(i, k, i % 5 == 4 if labelled else None) for i, k in enumerate(hits)]
    return Run(manifest, tuple(Certificate(r, certification.plan.conclude(r, guarantee)) for r in records))


def _record(index: int, hits: int, label: bool | None) -> Record:  # noqa: FBT001 - a label of two classes
    record = Record(index, "0" * 64, None if label is None else int(label))
    record = record.observe(Draws(Phase.SELECTION, 0, 10), np.array([10, 0]))
    return record.observe(Draws(Phase.ESTIMATION, 0, 1000), np.array([hits, 1000 - hits]))


RUN = _run([1000, 990, 900, 700, 300] * 10)


def test_the_keys_do_not_change() -> None:
    """Every key is there with labels and without; what needs labels is null without them."""
    blind = summarize(_run([1000, 400], labelled=False))
    assert set(summarize(RUN)) == KEYS == set(blind)
    for name in ("certified_accuracy", "average_certified_radius", "acr_by_budget", "trivial_baseline"):
        assert blind[name] is None
    assert blind["pa_distribution"]["label_quantiles"] is None


def test_a_report_is_plain_json() -> None:
    """No array, no NaN: what any reader of JSON accepts."""
    assert json.loads(json.dumps(summarize(RUN), allow_nan=False))["images"]["finished"] == 50


def test_the_two_probabilities_are_kept_apart() -> None:
    """A wrong image with 300 of 1000 draws for the tested class has 700 for its label."""
    results = results_of(RUN)
    assert results.label_shares is not None
    assert results.top_shares[4] == 0.3
    assert results.label_shares[4] == 0.7
    assert not results.correct[4]


def test_an_abstention_is_never_correct() -> None:
    """An image whose tested class is its label, but which was not certified, earns no accuracy."""
    results = results_of(_run([400, 1000]))
    assert results.top_classes.tolist() == [0, 0]
    assert results.correct.tolist() == [False, True]
    assert summarize(_run([400, 1000]))["certified_accuracy"][0]["certified_accuracy"] == 0.5


def test_the_average_at_the_stored_budget_is_the_runs_own() -> None:
    """Leaving no draw out gives back ACR, and the point is marked exact; beyond it, projected."""
    report = summarize(RUN)
    points = {point["draws"]: point for point in report["acr_by_budget"]}
    assert points[1000]["average_radius"] == pytest.approx(report["average_certified_radius"]["value"])
    assert [points[n]["basis"] for n in (100, 1000, 3000)] == ["exact", "exact", "projected"]


def test_the_trivial_baseline_is_that_of_the_most_frequent_label() -> None:
    """Four fifths of the images have one label; always returning it earns four fifths of the cap."""
    report = summarize(RUN)
    assert report["trivial_baseline"]["most_frequent_share"] == 0.8
    assert report["trivial_baseline"]["average_radius"] == pytest.approx(0.8 * report["max_radius"])


def test_a_partial_run_reports_the_images_it_has() -> None:
    """Requested and finished are both there, and the averages are over the finished ones."""
    report = summarize(_run([1000, 900], requested=500))
    assert report["images"] == {"requested": 500, "finished": 2}
    assert not results_of(_run([1000, 900], requested=500)).complete


def test_early_stopping_is_said_to_lean() -> None:
    """Under a plan that stops early k/n is biased towards the boundary, and the report says so."""
    run = _run([1000, 990], plan="open", n0=None, n=1000)
    report = summarize(run)
    assert report["pa_distribution"]["leans_to_boundary"]
    assert not summarize(RUN)["pa_distribution"]["leans_to_boundary"]
    assert {point["basis"] for point in report["acr_by_budget"]} == {"projected"}


def test_soft_votes_are_not_projected_from_hard_counts() -> None:
    """The counts of one classifier say nothing about another."""
    assert not results_of(_run([1000, 900], votes="soft")).projectable


def test_five_hundred_images_take_less_than_a_second() -> None:
    """A page that is opened while a job runs must not wait for its report."""
    rng = np.random.default_rng(0)
    run = _run(rng.integers(300, 1001, 500).tolist())
    start = time.process_time()
    report = summarize(run)
    assert time.process_time() - start < 1
    radii = np.array([c.conclusion.radius for c in run.certificates])
    correct = np.array([c.correct is True for c in run.certificates])
    assert report["average_certified_radius"]["value"] == average_certified_radius(radii, correct)
