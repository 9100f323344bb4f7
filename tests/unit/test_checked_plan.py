"""Checked votes: the plan asks for the check first, and gives up what it found."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import certd
from certd.datasets import open_dataset
from certd.errors import CannotCertify, InvalidParameter, NonFiniteLogits
from certd.models import BaseClassifier, load_model
from certd.models.runtime.comparison import Comparison
from certd.noise import Gaussian
from certd.smoothing import Draws, Phase, Record, Run, parse_request, read_run, write_run
from certd.smoothing.certifier import Certifier
from certd.smoothing.checkpoint import decode_records, encode_records
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.plans import AnyPlan, FixedPlan, PrecisionPlan, RadiiPlan
from certd.smoothing.plans.checked import CheckedPlan
from certd.smoothing.verification import verify
from certd.statistics import clopper_pearson_upper

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT = Guarantee(Gaussian(0.25), "l2", dimension=4, slack=0.0)
ALPHA = 0.001
FIXED = CheckedPlan(FixedPlan(n0=10, n=1000, alpha=ALPHA), check_draws=500)


def _checked(differed: int) -> Record:
    record = Record(0, "", 0)
    return record.observe(Draws(Phase.CHECK, 0, 500), np.array([500 - differed, differed]))


def _voted(differed: int) -> Record:
    record = _checked(differed).observe(Draws(Phase.SELECTION, 0, 10), np.array([10, 0]))
    return record.observe(Draws(Phase.ESTIMATION, 0, 1000), np.array([990, 10]))


def test_the_check_comes_before_any_vote() -> None:
    """Its draws are a phase of their own, and the plan's follow."""
    assert FIXED.next_draws(Record(0, "", 0), EXACT) == Draws(Phase.CHECK, 0, 500)
    assert FIXED.next_draws(_checked(3), EXACT) == Draws(Phase.SELECTION, 0, 10)
    assert FIXED.tested_class(Record(0, "", 0)) is None


@pytest.mark.parametrize("differed", [0, 1, 2, 4, 8, 64])
def test_what_may_differ_is_given_up_before_the_radius(differed: int) -> None:
    """The bound is the plan's at .9 alpha, less the upper bound on the disagreement at .1 alpha."""
    found = FIXED.conclude(_voted(differed), EXACT)
    votes = FixedPlan(n0=10, n=1000, alpha=0.9 * ALPHA).conclude(_voted(differed), EXACT)
    disagreement = clopper_pearson_upper(differed, 500, 0.1 * ALPHA)
    assert found.p_a_lower == pytest.approx(votes.p_a_lower - disagreement, abs=1e-9)
    assert found.p_a_lower <= votes.p_a_lower - disagreement


def test_both_shares_together_are_at_most_alpha() -> None:
    """Rounding does not push the sum of the two failure probabilities over alpha."""
    for alpha in np.geomspace(1e-9, 0.5, 101):
        checked = CheckedPlan(FixedPlan(alpha=float(alpha)), 10)
        assert checked._inner.alpha + 0.1 * (1 - 1e-9) * alpha <= alpha  # noqa: SLF001
        assert checked.alpha == alpha


def test_more_differences_never_certify_more() -> None:
    """The radius falls as the two executions differ more often, down to an abstention."""
    radii = [FIXED.conclude(_voted(differed), EXACT).radius for differed in range(0, 501, 10)]
    assert radii == sorted(radii, reverse=True)
    assert radii[0] > 0
    assert radii[-1] == 0


def test_an_image_on_which_the_two_never_agree_abstains_after_one_look() -> None:
    """No listed radius is within reach then, and no further draws are spent."""
    plan = CheckedPlan(RadiiPlan(n=1000, alpha=ALPHA, radii=(0.0, 0.25)), 500)
    record = _checked(500)
    assert plan.next_draws(record, EXACT) == Draws(Phase.ESTIMATION, 0, 100)
    record = record.observe(Draws(Phase.ESTIMATION, 0, 100), np.array([100, 0]), 0)
    assert plan.next_draws(record, EXACT) is None
    assert plan.conclude(record, EXACT).abstained


def test_the_largest_radius_is_that_of_votes_never_contradicted() -> None:
    """No record can prove more than max_radius says."""
    record = _checked(0).observe(Draws(Phase.SELECTION, 0, 10), np.array([10, 0]))
    record = record.observe(Draws(Phase.ESTIMATION, 0, 1000), np.array([1000, 0]))
    assert FIXED.conclude(record, EXACT).radius == FIXED.max_radius(EXACT)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "checked", "plan": "predict"},
        {"dtype": "checked", "plan": "fixed", "votes": "soft"},
        {"dtype": "checked", "plan": "fixed", "votes": "soft", "mean_bound": "thinned"},
        {"dtype": "checked", "plan": "fixed", "votes": "soft", "mean_bound": "hoeffding"},
        {"dtype": "float32", "plan": "fixed", "check_draws": 100},
        {"dtype": "checked", "plan": "fixed", "check_draws": 0},
    ],
)
def test_contradictory_options_are_refused(options: dict[str, object]) -> None:
    """What cannot be checked, and a check of nothing, is refused before a draw is spent."""
    request = parse_request({"model": "m", "sigma": 0.25, **options})
    with pytest.raises(InvalidParameter, match=r"dtype|check_draws"):
        _ = request.resolve("m@0", labelled=False).procedure


@pytest.mark.parametrize(
    "plan", [FixedPlan(n=1000), RadiiPlan(n=1000), PrecisionPlan(n=1000), FixedPlan(n=20)]
)
@pytest.mark.parametrize("check_draws", [1, 10, 13])
def test_too_few_check_draws_are_not_blamed_on_the_votes(plan: AnyPlan, check_draws: int) -> None:
    """The refusal names the check, and the least that would do if votes are looked at once."""
    with pytest.raises(CannotCertify, match="check_draws") as refusal:
        CheckedPlan(plan, check_draws).check(EXACT, 2)
    assert refusal.value.pointer == "/check_draws"
    least = refusal.value.details["least_check_draws"]
    if plan.kind != "radii":
        CheckedPlan(plan, least).check(EXACT, 2)
    with pytest.raises(CannotCertify, match="check_draws"):
        CheckedPlan(plan, least - 1).check(EXACT, 2)


def test_too_few_votes_are_not_blamed_on_the_check() -> None:
    """Where no check would do, the draws that are missing are those of the votes."""
    with pytest.raises(CannotCertify) as refusal:
        CheckedPlan(FixedPlan(n=5), 10).check(EXACT, 2)
    assert refusal.value.pointer == "/n"


def test_radii_beyond_reach_are_named_and_not_the_check() -> None:
    """A listed radius that the check puts out of reach is refused as such."""
    with pytest.raises(CannotCertify, match=r"radius of 0\.7"):
        CheckedPlan(RadiiPlan(n=10_000, radii=(0.0, 0.7)), 200).check(EXACT, 2)


def test_the_comparison_votes_on_agreement() -> None:
    """Class 0 where both name the same class, class 1 where not; broken logits stay broken."""
    one = torch.tensor([[1.0, 0.0], [1.0, 0.0], [float("nan"), 0.0], [1.0, 0.0]])
    other = torch.tensor([[2.0, 1.0], [0.0, 1.0], [1.0, 0.0], [float("inf"), 0.0]])
    votes = Comparison(lambda _: one, lambda _: other)(torch.zeros(4, 1))
    torch.testing.assert_close(votes[:2], torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert votes[2:].isnan().all()


def test_a_checked_run_is_stored_resumed_and_drawn_again(digits_run: Run) -> None:
    """Counts of the check are part of the record: file, checkpoint and verification keep them."""
    stream = io.BytesIO()
    write_run(stream, digits_run)
    stream.seek(0)
    read = read_run(stream)
    assert [one.row() for one in read.certificates] == [one.row() for one in digits_run.certificates]
    records = [one.record for one in digits_run.certificates]
    again = decode_records(encode_records(records))
    assert [one.tallies[Phase.CHECK].counts.tolist() for one in again] == [
        one.tallies[Phase.CHECK].counts.tolist() for one in records
    ]
    assert digits_run.manifest.execution.dtype == "float32"
    assert digits_run.manifest.execution.voted_in == "bfloat16"


def test_verification_draws_the_check_again(digits_run: Run) -> None:
    """One vote moved in the check of a stored run is found."""
    images = open_dataset("digits").images

    def pixels(image_id: int) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = images[image_id : image_id + 1][0]
        return pixels

    classifier = load_model("digits-cnn")
    certifier = Certifier(classifier, digits_run.manifest.certification)
    assert verify(digits_run, certifier, pixels).difference is None
    stored = digits_run.certificates[0]
    tally = stored.record.tallies[Phase.CHECK]
    moved = replace(tally, counts=tally.counts + np.array([-1, 1]))
    record = replace(stored.record, tallies={**stored.record.tallies, Phase.CHECK: moved})
    changed = replace(digits_run, certificates=(replace(stored, record=record),))
    difference = verify(changed, certifier, pixels).difference
    assert difference is not None
    assert "check draws" in difference


def test_nan_in_either_execution_stops_the_job() -> None:
    """A vote on agreement is as undefined as the logits it compares."""

    class Broken(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            x = images.flatten(1)[:, :2]
            return x / 0 if images.dtype == torch.float32 else x

    classifier = BaseClassifier.from_module(Broken(), "broken", (1, 2, 2), 2)
    with pytest.raises(NonFiniteLogits):
        certd.certify(classifier, np.zeros((1, 1, 2, 2), np.uint8), sigma=0.25, dtype="checked", n=100)


@pytest.fixture(scope="module")
def digits_run() -> Run:
    """Return three digits certified from checked votes."""
    dataset = open_dataset("digits").select(limit=3)
    return certd.certify(
        "digits-cnn",
        dataset.images[:],
        dataset.labels,
        sigma=0.25,
        plan="radii",
        n=1000,
        seed=7,
        dtype="checked",
        check_draws=200,
    )
