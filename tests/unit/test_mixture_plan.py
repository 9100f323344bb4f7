"""Mixtures end to end: votes of the smoothed classifier, one look of the standard one, and the proof."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from certd.errors import CannotCertify, InvalidParameter
from certd.models import BaseClassifier, Mixing, load_model, mix
from certd.models.mixing_network import MixingNetwork
from certd.noise.specification import NoiseSpecification
from certd.reports.weight_page import weight_page
from certd.reports.weight_sweep import sweep_weights
from certd.smoothing import Guarantee, Phase, Record, Run, Tally, parse_request, read_run, write_run
from certd.smoothing.certifier import Certifier
from certd.smoothing.checkpoint import decode_records, encode_records
from certd.smoothing.mixing_run import mix_run
from certd.smoothing.plans import FixedPlan, PredictPlan
from certd.smoothing.plans.mixture import MixturePlan
from certd.smoothing.recomputation import recompute
from certd.smoothing.standard import StandardOutput
from certd.smoothing.verification import verify
from tests.unit.test_mixtures import is_false, smoothed

PIN = "@sha256:" + "0" * 64
OPTIONS: dict[str, Any] = {"sigma": 0.25, "plan": "fixed", "n": 600, "seed": 4, "batch_size": 64}
LABELS = np.array([1, 2, 3, 4, 5, 6])


@cache
def images() -> np.ndarray:
    """Return six random images."""
    return np.random.default_rng(3).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)


@cache
def standard() -> BaseClassifier:
    """Return a linear classifier nobody protected."""
    torch.manual_seed(1)
    return BaseClassifier.from_module(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "g", (1, 8, 8), 10)


def mixing(**members: Any) -> Mixing:
    """Return a mixture of the linear classifier with the digits model."""
    references = {"standard": standard().reference, "robust": load_model("digits-cnn").reference}
    asked = {"product": "smooth-then-mix", "weight": 0.8, "num_classes": 10, **references, **members}
    return Mixing.model_validate(asked)


def mixture(chooser: MixingNetwork | None = None, **members: Any) -> BaseClassifier:
    """Return that mixture as a base classifier."""
    return mix("m", standard(), load_model("digits-cnn"), mixing(**members), chooser)


def certified(classifier: BaseClassifier, **options: Any) -> Run:
    """Certify the six images."""
    request = parse_request({"model": classifier.name, **OPTIONS, **options})
    certification = request.resolve(classifier.reference, labelled=True, mixing=classifier.mixing)
    certifier = Certifier(classifier, certification)
    ids = np.arange(6, dtype=np.uint64)
    return Run(certifier.manifest("random", ids), tuple(certifier.certify(images(), ids, LABELS)))


@cache
def run() -> Run:
    """Return the run of the mixture."""
    return certified(mixture())


def test_the_votes_are_those_of_the_robust_classifier_alone() -> None:
    """The standard classifier looks at the clean image, once, and is in no count."""
    alone = certified(load_model("digits-cnn"))
    for one, other in zip(run().certificates, alone.certificates, strict=True):
        for phase in (Phase.SELECTION, Phase.ESTIMATION):
            assert np.array_equal(one.record.tallies[phase].counts, other.record.tallies[phase].counts)
        pixels = torch.from_numpy(images()[one.record.image_id][None]).float() / 255
        assert one.record.standard is not None
        assert one.record.standard.logits == tuple(standard().module(pixels)[0].double().tolist())


def test_a_stored_run_mixed_afterwards_is_the_mixture_certified() -> None:
    """The same votes and the same look give the same certificates, to the last bit."""
    alone = certified(load_model("digits-cnn"))
    later = mix_run(alone, mixture(), lambda i: images()[i])
    assert [c.row() for c in later.certificates] == [c.row() for c in run().certificates]
    assert later.manifest.certification == run().manifest.certification
    anew = mix_run(recompute(alone, alpha=0.01), mixture(), lambda i: images()[i])
    assert anew.manifest.drawn_under == run().manifest.certification
    with pytest.raises(InvalidParameter, match="other pixels"):
        mix_run(alone, mixture(), lambda _: images()[0])
    with pytest.raises(InvalidParameter, match="Name its run"):
        mix_run(run(), mixture(), lambda i: images()[i])


def test_a_mixture_survives_files_and_checkpoints() -> None:
    """What g said is kept with the counts; conclusions are drawn from both anew."""
    stream = io.BytesIO()
    write_run(stream, run())
    read = read_run(io.BytesIO(stream.getvalue()))
    assert [c.row() for c in read.certificates] == [c.row() for c in run().certificates]
    assert read.manifest == run().manifest
    records = decode_records(encode_records([c.record for c in run().certificates]))
    assert [r.standard for r in records] == [c.record.standard for c in run().certificates]


def test_another_weight_is_concluded_from_the_same_counts() -> None:
    """What a recomputation says is what certifying that mixture says, its name included."""
    again = recompute(run(), weight=0.95)
    afresh = certified(mixture(weight=0.95))
    assert again.manifest.drawn == run().manifest.certification
    assert again.manifest.model_copy(update={"drawn": None}) == afresh.manifest
    assert [c.row() for c in again.certificates] == [c.row() for c in afresh.certificates]
    with pytest.raises(InvalidParameter, match="needs a weight"):
        recompute(run(), weight=0.4)
    with pytest.raises(InvalidParameter, match="Only a smooth-then-mix"):
        recompute(certified(load_model("digits-cnn")), weight=0.9)


def test_verification_notices_another_standard_classifier() -> None:
    """Equal counts do not hide that g said something else."""
    certifier = Certifier(mixture(), run().manifest.certification)
    assert verify(run(), certifier, lambda i: images()[i]).difference is None
    first, *rest = run().certificates
    found = StandardOutput(tuple(range(10)))
    forged = Run(run().manifest, (replace(first, record=replace(first.record, standard=found)), *rest))
    difference = verify(forged, certifier, lambda i: images()[i]).difference
    assert difference is not None
    assert "standard classifier" in difference


def test_mix_then_smooth_is_an_ordinary_certificate_of_the_mixture() -> None:
    """Its base classifier is the mixture, and its manifest says which product it is."""
    made = mixture(product="mix-then-smooth")
    found = certified(made, n=100)
    assert found.manifest.settings["mixture"] == "mix-then-smooth, weight 0.8"
    assert found.certificates[0].record.standard is None
    g = standard().module(torch.zeros(1, 1, 8, 8)).softmax(1)
    h = load_model("digits-cnn").module(torch.zeros(1, 1, 8, 8)).softmax(1)
    assert torch.allclose(made.module(torch.zeros(1, 1, 8, 8)).exp(), 0.2 * g + 0.8 * h, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_ends_of_the_scale_are_either_classifier(weight: float) -> None:
    """No logarithm of zero comes out."""
    made = mixture(product="mix-then-smooth", weight=weight)
    pixels = torch.rand(2, 1, 8, 8)
    alone = load_model("digits-cnn") if weight else standard()
    assert torch.allclose(made.module(pixels), alone.module(pixels).log_softmax(1))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"plan": "radii", "n": 1000}, "needs margins"),
        ({"plan": "precision"}, "needs margins"),
        ({"plan": "open"}, "needs margins"),
        ({"top_k": 2}, "leave bound, split and top_k out"),
        ({"bound": "two-sided"}, "leave bound, split and top_k out"),
        ({"votes": "soft", "mean_bound": "hoeffding"}, "thinned"),
        ({"noise": "laplace"}, "proved for gaussian"),
        ({"dtype": "checked"}, "not proved for smooth-then-mix"),
        ({"mixture_bounds": "some"}, "mixture_bounds"),
    ],
)
def test_what_is_not_proved_is_refused(options: dict[str, Any], sentence: str) -> None:
    """Each refusal says what to ask for instead, before a draw."""
    with pytest.raises(InvalidParameter, match=sentence):
        certified(mixture(), **{"n": None if "plan" in options else 600, **options})


def test_an_option_of_mixtures_is_refused_elsewhere() -> None:
    """An ordinary model has one class to bound."""
    with pytest.raises(InvalidParameter, match="this model is none"):
        certified(load_model("digits-cnn"), mixture_bounds="classes")


def test_too_few_draws_are_refused_with_the_margin_they_lack() -> None:
    """At weight one half no budget gives a margin of one."""
    with pytest.raises(CannotCertify, match=r"no margin of 1\.0"):
        certified(mixture(weight=0.5))


def test_linf_and_l1_follow_from_l2() -> None:
    """An l1 ball is inside the l2 ball, an linf ball in one sqrt(d) times as wide."""
    l2, l1, linf = (
        [c.conclusion.radius for c in recompute(run(), norm=norm, weight=1.0).certificates]
        for norm in ("l2", "l1", "linf")
    )
    assert max(l2) > 0
    assert l1 == l2
    assert all(small <= large / 8 for small, large in zip(linf, l2, strict=True))
    assert linf == pytest.approx([radius / 8 for radius in l2], rel=1e-8)


def test_the_sampled_law_is_paid_for() -> None:
    """Bounds are widened by how far the sampled noise is from the theorem's; more of it, less radius."""
    guarantee = Guarantee.of(NoiseSpecification(sigma=0.25), "l2", (1, 8, 8))
    plan = MixturePlan(FixedPlan(n=1000), mixing(), "classes")
    assert guarantee.slack > 0
    far = replace(guarantee, slack=0.01)
    record = _record([990, 10, *[0] * 8], np.zeros(10))
    near, further = (plan.conclude(record, one) for one in (guarantee, far))
    assert further.radius < near.radius
    assert further.p_a_lower == pytest.approx(near.p_a_lower - 0.01, abs=1e-9)


def test_the_weight_of_a_network_is_recorded_and_certified_at_its_least() -> None:
    """The answer at the image is judged with the weight chosen there; a radius rests on the range alone."""
    torch.manual_seed(3)
    network = MixingNetwork(10, 0.7, 0.95).eval()
    made = mixture(network, weight=0.7, highest_weight=0.95, network="0" * 64)
    adaptive, least = certified(made), certified(mixture(weight=0.7))
    for one, other in zip(adaptive.certificates, least.certificates, strict=True):
        assert one.record.standard is not None
        assert 0.7 <= (one.record.standard.weight or 0) <= 0.95
        if one.conclusion.top_class == other.conclusion.top_class:
            assert one.conclusion.radius == other.conclusion.radius
    with pytest.raises(InvalidParameter, match="constant weight"):
        recompute(adaptive, weight=0.9)


def test_a_prediction_abstains_where_the_votes_leave_it_open() -> None:
    """G tips an even race of h one way; without a say of g it stays open."""
    guarantee = Guarantee.of(NoiseSpecification(sigma=0.25), "l2", (1, 8, 8))
    plan = MixturePlan(PredictPlan(n=1000), mixing(weight=0.6), "classes")
    counts = [500, 500, *[0] * 8]
    silent = plan.conclude(_record(counts, np.zeros(10)), guarantee)
    assert silent.abstained
    spoken = plan.conclude(_record(counts, np.array([0.0, 9.0, *[0.0] * 8])), guarantee)
    assert (spoken.prediction, spoken.radius) == (1, 0.0)


def test_the_draws_that_are_bounded_choose_no_class() -> None:
    """The estimation draws may say something else; what was chosen before them is tested, and abstains."""
    guarantee = Guarantee.of(NoiseSpecification(sigma=0.25), "l2", (1, 8, 8))
    votes = _record([0, 1000, *[0] * 8], np.zeros(10))
    chosen = Tally(100, np.array([100, *[0] * 9]))
    record = replace(votes, tallies={**votes.tallies, Phase.SELECTION: chosen})
    found = MixturePlan(FixedPlan(n=1000), mixing(), "classes").conclude(record, guarantee)
    assert (found.top_class, found.abstained) == (0, True)


def test_a_run_without_the_standard_output_cannot_be_concluded() -> None:
    """What g said is evidence; it is not guessed."""
    plan = MixturePlan(FixedPlan(n=1000), mixing(), "classes")
    guarantee = Guarantee.of(NoiseSpecification(sigma=0.25), "l2", (1, 8, 8))
    record = replace(_record([1000, *[0] * 9], np.zeros(10)), standard=None)
    with pytest.raises(InvalidParameter, match="certd mix"):
        plan.conclude(record, guarantee)


def test_a_sweep_says_what_each_weight_gives() -> None:
    """Its rows are recomputations; radius 0 is the answer at the image; the page warns of choosing here."""
    sweep = sweep_weights(run(), (0.6, 0.8, 1.0), (0.0, 0.1))
    rows = sweep.as_json()["weights"]
    for row in rows:
        again = recompute(run(), weight=row["weight"]).certificates
        right = [c.correct and c.conclusion.radius >= 0.1 for c in again]
        assert row["certified_accuracy"][1] == sum(map(bool, right)) / 6
        assert row["accuracy"] == sum(bool(c.correct) for c in again) / 6
    page = weight_page(sweep)
    assert "Do not choose here" in page
    assert "smooth-then-mix" in page
    with pytest.raises(InvalidParameter, match="needs a run"):
        sweep_weights(certified(load_model("digits-cnn")))


def test_the_digest_pins_what_is_mixed_and_how_and_no_names() -> None:
    """Another weight, scale or model is another mixture; another name of the same model is not."""
    first = mixing()
    renamed = first.model_copy(update={"standard": "other@" + first.standard.partition("@")[2]})
    assert renamed.digest == first.digest
    changes: list[dict[str, Any]] = [
        {"weight": 0.9}, {"standard_scale": 2.0}, {"standard": "g" + PIN}, {"product": "mix-then-smooth"},
    ]  # fmt: skip
    assert len({first.digest, *(mixing(**change).digest for change in changes)}) == 5


def _record(counts: list[int], logits: np.ndarray) -> Record:
    votes = np.array(counts, np.int64)
    tallies = {
        Phase.SELECTION: Tally(int(votes.sum()), votes),
        Phase.ESTIMATION: Tally(int(votes.sum()), votes),
    }
    return Record(0, "0" * 64, 0, tallies, StandardOutput(tuple(map(float, logits))))


@pytest.mark.statistical
def test_the_plan_makes_no_false_certificate_where_h_is_known_exactly() -> None:
    """None of 1,800, with g random at the image and the worst one near it; nor is any answer at the image.

    A certificate is false with probability at most 1e-5, so a sound program fails for at most 1.8 % of seeds.
    """
    random = np.random.default_rng(12)
    sigma, proved = 0.5, 0
    guarantee = Guarantee.of(NoiseSpecification(sigma=sigma), "l2", (1, 1, 2))
    for _ in range(1800):
        x, weight = random.uniform(-2, 2, 2), random.uniform(0.55, 1.0)
        h, logits = smoothed(x[None], sigma)[0], 3 * random.normal(size=3)
        tallies = {
            phase: Tally(draws, random.multinomial(draws, h).astype(np.int64))
            for phase, draws in ((Phase.SELECTION, 100), (Phase.ESTIMATION, 1000))
        }
        record = Record(0, "0" * 64, None, tallies, StandardOutput(tuple(logits)))
        plan = MixturePlan(FixedPlan(n=1000, alpha=1e-5), mixing(weight=weight, num_classes=3), "classes")
        found = plan.conclude(record, guarantee)
        if found.prediction is None:
            continue
        g = np.exp(logits) / np.exp(logits).sum()
        assert int(((1 - weight) * g + weight * h).argmax()) == found.prediction
        assert found.radius == 0 or not is_false(x, found.prediction, found.radius, weight, sigma)
        proved += 1
    assert proved > 900
