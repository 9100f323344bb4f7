"""What a report says about a whole set: each number with the sentence that makes it true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from certd.models.runtime.arithmetic import Execution
from certd.reports import results_of
from certd.reports.budget_curve import average_radius_by_budget
from certd.reports.guarantees import guarantees
from certd.reports.outlook import outlook_of
from certd.smoothing import Certificate, Draws, Manifest, Phase, Record, Run, parse_request

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
MODEL = "m@sha256:" + "0" * 64


def _run(hits: list[int], *, labelled: bool = True, **options: Any) -> Run:
    """Return a run in which image i has ``hits[i]`` of 1000 estimation draws for class 0."""
    asked = {"model": "m", "sigma": 0.5, "plan": "fixed", "n0": 10, "n": 1000, "seed": 1, **options}
    certification = parse_request(asked).resolve(MODEL, labelled=labelled)
    manifest = Manifest(
        certification=certification,
        dataset=None,
        num_images=len(hits),
        input_shape=(1, 2, 2),
        num_classes=3,
        norm="l2",
        max_radius=1.2316314,
        execution=EXECUTION,
        versions={},
    )
    certificates = []
    for i, k in enumerate(hits):
        record = Record(i, "0" * 64, 0 if labelled else None)
        checked = certification.check_draws
        if checked is not None:
            record = record.observe(Draws(Phase.CHECK, 0, checked), np.array([checked, 0]))
        record = record.observe(Draws(Phase.SELECTION, 0, 10), np.array([10, 0, 0]))
        record = record.observe(Draws(Phase.ESTIMATION, 0, 1000), np.array([k, 1000 - k, 0]))
        certificates.append(Certificate(record, certification.procedure.conclude(record, manifest.guarantee)))
    return Run(manifest, tuple(certificates))


def _named(run: Run) -> dict[str, dict[str, Any]]:
    return {statement["name"]: statement for statement in guarantees(results_of(run))}


def test_every_statement_has_a_level_and_a_sentence() -> None:
    """A number without the words that make it true is no statement."""
    for statement in guarantees(results_of(_run([1000, 990, 900, 700, 300] * 20))):
        assert 0 < statement["level"] < 1
        assert len(statement["sentence"]) > 60
        assert statement["sentence"].endswith(".")


def test_the_bounds_lie_below_what_was_observed() -> None:
    """The curves of these images and of the population never lie above the plain shares."""
    run = _run([1000, 990, 900, 700, 300] * 20)
    radii = np.array([c.conclusion.radius for c in run.certificates])
    plain = [float(np.mean((radii >= r) & (radii > 0))) for r in (0, 0.25, 0.5, 0.75, 1.0, 1.25)]
    for statement in guarantees(results_of(run)):
        if len(statement["values"]) == len(plain):
            assert (np.array(statement["values"]) <= np.array(plain) + 1e-12).all()


def test_bonferroni_certifies_less_than_each_image_by_itself() -> None:
    """At alpha / m fewer images reach a radius; with one image it is the certificate itself."""
    alone, together = _named(_run([900])), _named(_run([900] + [0] * 199))
    run = _run([900])
    radius = run.certificates[0].conclusion.radius
    share = next(
        v for r, v in zip((0, 0.25, 0.5, 0.75), alone["bonferroni"]["values"], strict=False) if r >= 0
    )
    assert share == 1.0
    assert radius > 0.5
    assert together["bonferroni"]["values"][0] == pytest.approx(1 / 200)


def test_checked_votes_are_not_bounded_as_if_the_classifier_had_cast_them() -> None:
    """What the check takes off a radius is missing in Bonferroni's and Holm's bounds: neither is said."""
    checked = _run([1000] * 20, dtype="checked", check_draws=200)
    assert {"each-image", "all-certificates"} <= set(_named(checked))
    assert not {"bonferroni", "holm"} & set(_named(checked))
    assert results_of(checked).settings["check_draws"] == 200


def test_checked_votes_are_not_projected() -> None:
    """The bound of another budget would be about the classifier that votes."""
    checked = _run([1000] * 20, dtype="checked", check_draws=200)
    assert average_radius_by_budget(results_of(checked)) is None
    assert outlook_of(checked.certificates[0], checked.manifest) is None


def test_a_top_k_run_promises_membership_of_the_top_k_alone() -> None:
    """Its radii say nothing of the most probable class, and neither do its sentences."""
    run = _run([1000] * 20, top_k=2)
    named = _named(run)
    assert set(named) == {"each-image", "all-certificates", "vote-share-distribution"}
    assert "among the 2 most probable classes" in named["each-image"]["sentence"]


def test_without_labels_nothing_is_said_about_accuracy() -> None:
    """Statements about accuracy need labels."""
    names = set(_named(_run([900, 800], labelled=False)))
    assert {"each-image", "bonferroni", "holm"} <= names
    assert not any("accuracy" in name or "population" in name for name in names)


def test_float_noise_is_said_to_prove_nothing() -> None:
    """A run whose noise was added in floating point guarantees nothing, and says so."""
    (statement,) = guarantees(results_of(_run([900, 800], arithmetic="float")))
    assert "not proved" in statement["sentence"]
