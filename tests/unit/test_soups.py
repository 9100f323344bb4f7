"""Soups: grids without gaps, averages that are exact, statistics that are refused or mended."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from certd.errors import InvalidParameter
from certd.models.soup_grid import weight_grid
from certd.models.soups import reestimate_batch_norm, require_variances, soup


def _network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    network(torch.rand(32, 1, 8, 8) * (seed + 1))
    return network.eval()


@pytest.mark.parametrize(
    ("grid", "points"), [((4, 5, -2, 7), 480), ((3, 5, 0, 5), 21), ((2, 5, -2, 7), 10), ((1, 5, 0, 5), 1)]
)
def test_the_published_grids_have_their_points(grid: tuple[int, int, int, int], points: int) -> None:
    """480 for four models where a grid in floating point prints 460."""
    found = list(weight_grid(*grid))
    assert len(found) == points
    assert len(set(found)) == points


@given(st.integers(1, 4), st.integers(1, 6), st.integers(-3, 2), st.integers(-1, 8))
def test_a_grid_holds_every_point_once(models: int, units: int, low: int, high: int) -> None:
    """Each sums to one and keeps its range, in order, and none is missing."""
    if low > high:
        with pytest.raises(InvalidParameter):
            list(weight_grid(models, units, low, high))
        return
    found = list(weight_grid(models, units, low, high))
    assert found == sorted(set(found))
    assert all(sum(point) == units and min(point) >= low and max(point) <= high for point in found)
    ways = {0: 1}
    for _ in range(models):
        ways = {
            total: sum(ways.get(total - each, 0) for each in range(low, high + 1))
            for total in range(models * min(low, 0), models * high + 1)
        }
    assert len(found) == ways.get(units, 0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_weights_of_one_ingredient_give_it_back_bit_for_bit(place: int) -> None:
    """Also where another ingredient holds infinity, which zero times would spoil."""
    states = [_network(seed).state_dict() for seed in range(3)]
    states[(place + 1) % 3]["4.bias"][0] = torch.inf
    weights = [0, 0, 0]
    weights[place] = 5
    made = soup(states, weights, 5)
    for name, values in states[place].items():
        if values.is_floating_point():
            assert torch.equal(made[name], values), name
            assert made[name].data_ptr() != values.data_ptr()


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3), st.permutations([-2, 3, 4]))
def test_averages_are_rounded_once(values: list[float], weights: list[int]) -> None:
    """As exact fractions give them, to the ingredients' own precision."""
    states = [{"weight": torch.tensor([value])} for value in values]
    exact = sum(Fraction(value) * weight for value, weight in zip(values, weights, strict=True)) / 5
    assert float(soup(states, weights, 5)["weight"]) == pytest.approx(float(exact), rel=2e-7, abs=1e-12)


def test_whole_numbers_are_copied() -> None:
    """A counter is no quantity to average."""
    states = [_network(seed).state_dict() for seed in range(2)]
    states[1]["1.num_batches_tracked"] += 10
    assert soup(states, [2, 3], 5)["1.num_batches_tracked"] == states[0]["1.num_batches_tracked"]


def test_ingredients_must_be_of_one_architecture() -> None:
    """Another name, shape or type is refused with its name."""
    first, second = _network(0).state_dict(), _network(1).state_dict()
    odd = [
        {name: values for name, values in second.items() if name != "4.bias"},
        {**second, "4.bias": torch.zeros(4)},
        {**second, "4.bias": second["4.bias"].double()},
    ]
    for other in odd:
        with pytest.raises(InvalidParameter, match=r"4\.bias"):
            soup([first, other], [2, 3], 5)


@pytest.mark.parametrize("weights", [[5], [2, 2], [5, 0, 0], []])
def test_weights_must_share_out_one_whole(weights: list[int]) -> None:
    """One an ingredient, no more and no less than one in all."""
    with pytest.raises(InvalidParameter):
        soup([_network(0).state_dict(), _network(1).state_dict()], weights, 5)


def test_a_negative_variance_is_refused_and_mended() -> None:
    """Extrapolation makes one; statistics of calibration images under noise put sense in its place."""
    states = [_network(seed).state_dict() for seed in (0, 3)]
    made = soup(states, [9, -4], 5)
    with pytest.raises(InvalidParameter, match=r"1\.running_var"):
        require_variances({**made, "1.running_var": -made["1.running_var"].abs() - 1})
    network = _network(0)
    network.load_state_dict(made)
    torch.manual_seed(0)
    batches = [torch.rand(64, 1, 8, 8) + 0.25 * torch.randn(64, 1, 8, 8) for _ in range(4)]
    layer = network[1]
    assert isinstance(layer, nn.BatchNorm2d)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    momentum = layer.momentum
    reestimate_batch_norm(network, batches)
    require_variances(network.state_dict())
    seen = torch.cat([network[0](batch) for batch in batches])
    assert torch.allclose(layer.running_mean, seen.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(layer.running_var, seen.var((0, 2, 3)), rtol=0.05)
    assert not any(each.training for each in network.modules())
    assert layer.momentum == momentum


def test_calibration_needs_images() -> None:
    """No images, no statistics: the network must not be certified with reset ones."""
    with pytest.raises(InvalidParameter, match="calibration"):
        reestimate_batch_norm(_network(0), [])
