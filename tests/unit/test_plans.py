"""The plans that look early, choose their own budget, or never end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from certd.errors import CannotCertify, InvalidParameter
from certd.noise import Gaussian
from certd.smoothing import Certification, Draws, Guarantee, Phase, Record, parse_request
from certd.smoothing.plans import FixedPlan, OpenPlan, PrecisionPlan, RadiiPlan, require_light
from certd.statistics.sequential import stage_schedule

if TYPE_CHECKING:
    from certd.smoothing.plans import Plan

G = Guarantee(Gaussian(0.5), "l2", dimension=4, slack=0.0)
MODEL = "m@sha256:" + "0" * 64


def _walk(plan: Plan, p_a: float, label: int | None = 1, seed: int = 0) -> Record:
    """Take one image of known pA through a plan: class 1 with probability ``p_a``, else class 0."""
    rng = np.random.default_rng(seed)
    record = Record(0, "0" * 64, label)
    while (draws := plan.next_draws(record, G)) is not None:
        hits = int(rng.binomial(len(draws), p_a))
        record = record.observe(draws, np.array([len(draws) - hits, hits]), plan.tested_class(record))
    return record


def test_an_easy_image_ends_long_before_its_budget() -> None:
    """At pA = .999 all radii up to 1 are certified with a fraction of 1e5 draws, and no selection draws."""
    plan = RadiiPlan(radii=(0.0, 0.25, 0.5, 0.75, 1.0))
    record = _walk(plan, 0.999)
    conclusion = plan.conclude(record, G)
    assert conclusion.radius == 1.0
    assert conclusion.draws < 2000
    assert record.drawn(Phase.SELECTION) == 0


def test_a_wrong_image_is_given_up_early() -> None:
    """At pA = .2 of the label nothing is certified, and little is spent."""
    plan = RadiiPlan()
    record = _walk(plan, 0.2)
    assert plan.conclude(record, G).abstained
    assert record.total_draws <= 300


def test_a_radius_of_zero_is_a_certificate_and_not_an_abstention() -> None:
    """At pA = .55 the class is certified at r = 0 and at no larger radius."""
    conclusion = RadiiPlan().conclude(_walk(RadiiPlan(), 0.55), G)
    assert conclusion.radius == 0
    assert conclusion.prediction == 1


def test_only_listed_radii_are_certified() -> None:
    """A list of .2 and .3 never certifies .25."""
    plan = RadiiPlan(radii=(0.2, 0.3))
    radii = {plan.conclude(_walk(plan, 0.7, seed=seed), G).radius for seed in range(20)}
    assert radii <= {0.0, 0.2, 0.3}


def test_without_a_label_the_class_is_chosen_on_draws_of_its_own() -> None:
    """The selection draws choose class 1; the trail follows it from the first counted draw."""
    plan = RadiiPlan(n0=50)
    record = _walk(plan, 0.95, label=None)
    assert record.drawn(Phase.SELECTION) == 50
    assert plan.conclude(record, G).top_class == 1
    assert record.trail[-1] == record.tallies[Phase.ESTIMATION].counts[1]


def test_the_default_list_ends_where_the_budget_does() -> None:
    """Every radius of the default list is reachable and the next step is not; RadiiPlan.check accepts it."""
    plan = RadiiPlan(n=1000)
    grid = plan.grid(G)
    assert grid[:3] == (0.0, 0.25, 0.5)
    plan.check(G, 10)
    with pytest.raises(CannotCertify, match="largest within reach"):
        RadiiPlan(n=1000, radii=(*grid, grid[-1] + 0.25)).check(G, 10)


def test_radii_beyond_the_cap_are_refused_before_a_draw() -> None:
    """Sigma .5 and n = 1e5 cannot certify 2: the refusal names it and what is within reach."""
    with pytest.raises(CannotCertify) as refusal:
        RadiiPlan(radii=(0.5, 2.0)).check(G, 10)
    assert refusal.value.details["unreachable"] == [2.0]
    assert refusal.value.details["largest_radius"] == pytest.approx(1.90573, abs=1e-4)


def test_a_plan_is_checked_without_its_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a strange request asks for is priced and refused at once, whatever its thresholds would cost."""
    monkeypatch.delattr("certd.smoothing.plans.radii.group_sequential_design")
    plan = RadiiPlan(n=2**30, radii=(0.01, 0.5, 2.8))
    plan.check(G, 10)
    assert plan.max_radius(G) == 2.8
    assert len(RadiiPlan(n=2**29).grid(G)) == 12
    with pytest.raises(CannotCertify):
        RadiiPlan(n=2**28, radii=(0.5, 4.0)).check(G, 10)


def test_thresholds_too_dear_for_a_stranger_are_refused() -> None:
    """As many draws times radii as may be asked for are taken, and one radius more is not."""
    dense = RadiiPlan(n=10**7, radii=tuple(0.001 * j for j in range(400)))
    for plan in (RadiiPlan(), dense, FixedPlan(n=2**30), RadiiPlan(n=10**9, radii=(0.0, 0.5, 1.0, 1.5))):
        require_light(plan, G)
    for plan in (RadiiPlan(n=10**9, radii=(0.0, 0.5, 1.0, 1.5, 2.0)), RadiiPlan(n=2**30)):
        with pytest.raises(CannotCertify, match="Lower n, or list fewer radii") as error:
            require_light(plan, G)
        largest = RadiiPlan(n=error.value.details["largest_n"], radii=plan.grid(G))
        require_light(largest, G)


def test_checked_votes_may_need_thresholds_for_each_power_of_two_of_differences() -> None:
    """Thirteen times the counts, with two thousand draws of the check."""
    plan = RadiiPlan(n=10**8, radii=(0.0, 0.5, 1.0, 1.5))
    require_light(plan, G)
    require_light(plan.model_copy(update={"n": 4 * 10**9 // 52}), G, 2000)
    with pytest.raises(CannotCertify, match="at 52 radii"):
        require_light(plan, G, 2000)


@pytest.mark.parametrize("radii", [(), (0.5, 0.25), (0.25, 0.25), (-0.1, 0.5)])
def test_a_list_that_does_not_rise_is_refused(radii: tuple[float, ...]) -> None:
    """Radii are listed once each, from small to large, none negative."""
    with pytest.raises(InvalidParameter):
        parse_request({"model": "m", "sigma": 0.5, "radii": radii, "plan": "radii"}).resolve(
            MODEL, labelled=True
        )


def test_the_pilot_is_not_counted() -> None:
    """The bound rests on fresh draws alone, whose number the pilot chose."""
    plan = PrecisionPlan(pilot=200, n=10_000)
    record = _walk(plan, 0.8, label=None)
    conclusion = plan.conclude(record, G)
    assert record.drawn(Phase.PILOT) == 200
    assert conclusion.draws == record.drawn(Phase.ESTIMATION) < 10_000
    assert conclusion.top_count == record.tallies[Phase.ESTIMATION].counts[1]


def test_the_pilot_alone_decides_the_budget() -> None:
    """Equal pilots ask for equal budgets, whatever the estimation draws then show."""
    plan = PrecisionPlan(pilot=100, n=10_000)
    pilot = Record(0, "0" * 64).observe(Draws(Phase.PILOT, 0, 100), np.array([20, 80]))
    draws = plan.next_draws(pilot, G)
    assert draws is not None
    for hits in (0, len(draws)):
        ended = pilot.observe(draws, np.array([len(draws) - hits, hits]))
        assert plan.next_draws(ended, G) is None


def test_an_open_plan_stops_at_its_radius_and_may_go_on() -> None:
    """It ends once .25 is certified; with a larger goal the same record asks for more draws."""
    plan = OpenPlan(radius=0.25)
    record = _walk(plan, 0.9)
    assert plan.conclude(record, G).radius >= 0.25
    assert record.drawn(Phase.ESTIMATION) < 5000
    further = OpenPlan(radius=0.6)
    more = further.next_draws(record, G)
    assert more is not None
    assert more.start == record.drawn(Phase.ESTIMATION)


def test_an_open_plan_refuses_what_it_cannot_reach() -> None:
    """A goal beyond n hits of n is refused with the largest radius."""
    with pytest.raises(CannotCertify, match="at most"):
        OpenPlan(n=100, radius=1.0).check(G, 10)


@pytest.mark.parametrize("kind", ["radii", "precision", "open"])
def test_a_record_goes_on_from_any_stage(kind: str) -> None:
    """Each plan asks the same of a record that was saved in mid-plan as of one that never was."""
    plans: dict[str, Plan] = {
        "radii": RadiiPlan(n=2000),
        "precision": PrecisionPlan(pilot=100, n=2000),
        "open": OpenPlan(n=2000),
    }
    plan = plans[kind]
    from certd.smoothing.checkpoint import decode_records, encode_records  # noqa: PLC0415

    record = Record(3, "0" * 64, 1)
    rng = np.random.default_rng(1)
    while (draws := plan.next_draws(record, G)) is not None:
        hits = int(rng.binomial(len(draws), 0.75))
        record = record.observe(draws, np.array([len(draws) - hits, hits]), plan.tested_class(record))
        (restored,) = decode_records(encode_records([record]))
        assert plan.next_draws(restored, G) == plan.next_draws(record, G)
    assert plan.conclude(restored, G) == plan.conclude(record, G)


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"plan": "fixed", "radii": (0.5,)}, "/radii"),
        ({"plan": "radii", "pilot": 100}, "/pilot"),
        ({"plan": "precision", "bound": "two-sided"}, "/bound"),
        ({"noise": "splitting", "n": 3}, "/n"),
        ({"noise": "splitting", "plan": "fixed"}, ""),
        ({"plan": "fixed", "split": False, "n0": 10}, ""),
        ({"plan": "fixed", "split": False, "bound": "two-sided"}, ""),
        ({"plan": "fixed", "top_k": 2, "bound": "two-sided"}, ""),
        ({"plan": "open", "alpha": 0.5}, "/alpha"),
        ({"noise": "splitting", "arithmetic": "float"}, ""),
    ],
)
def test_options_that_contradict_one_another_are_refused(options: dict[str, Any], pointer: str) -> None:
    """An option of another plan, or two that exclude each other, is an error and not ignored."""
    with pytest.raises(InvalidParameter) as refusal:
        parse_request({"model": "m", "sigma": 0.25, **options}).resolve(MODEL, labelled=False)
    assert (refusal.value.pointer or "").startswith(pointer)


def test_labels_choose_the_default_plan() -> None:
    """A labelled set is tested at listed radii; images without labels get a radius within a tolerance."""
    request = parse_request({"model": "m", "sigma": 0.25})
    assert request.resolve(MODEL, labelled=True).plan.kind == "radii"
    assert request.resolve(MODEL, labelled=False).plan.kind == "precision"


def test_what_an_earlier_version_wrote_goes_on_as_it_began() -> None:
    """A certification that names no spending shared alpha out evenly; one made now names its own."""
    made = parse_request({"model": "m", "sigma": 0.5, "plan": "radii"}).resolve(MODEL, labelled=True)
    written = made.model_dump(mode="json")
    assert written["plan"].pop("spending") == "rising"
    earlier = Certification.model_validate_json(json.dumps(written))
    assert earlier.plan == RadiiPlan(spending="even")
    assert Certification.model_validate_json(earlier.model_dump_json()) == earlier
    assert Certification.model_validate_json(made.model_dump_json()) == made


def test_the_spending_decides_when_an_image_is_given_up() -> None:
    """Hits a little below course end an image at the first look, or let it go on: the plan says which."""
    draws, hits = Draws(Phase.ESTIMATION, 0, 100), 41
    record = Record(0, "0" * 64, 1).observe(draws, np.array([100 - hits, hits]), 1)
    assert RadiiPlan(spending="even").next_draws(record, G) is None
    assert RadiiPlan(spending="rising").next_draws(record, G) is not None


def test_the_stages_are_those_that_were_declared() -> None:
    """Draws are asked for exactly up to the declared looks."""
    plan = RadiiPlan(n=500)
    record = Record(0, "0" * 64, 1)
    for stage in stage_schedule(500)[:3]:
        draws = plan.next_draws(record, G)
        assert draws is not None
        assert draws.stop == stage
        hits = round(0.75 * len(draws))
        record = record.observe(draws, np.array([len(draws) - hits, hits]), 1)
