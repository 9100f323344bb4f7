"""Who pays for a larger average certified radius: the split by hardness, and the sentence at the top."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.errors import InvalidParameter, ShapeMismatch
from certd.reports.comparison import compare_runs
from certd.reports.comparison_page import comparison_page
from certd.reports.figures.label_shares import label_share_curves
from certd.reports.hardness import by_hardness, hidden_trade
from certd.reports.importers import Conditions, import_counts
from certd.reports.mass import mass_of, mass_table

if TYPE_CHECKING:
    from certd.reports import Results


def _run(name: str, counts: list[int]) -> Results:
    """Return images of label 0 with so many of 1000 draws for it."""
    rows = "".join(f"{count},{1000 - count},0\n" for count in counts)
    return replace(
        import_counts(f"0,1,label\n{rows}", Conditions(sigma=0.5, alpha=0.001)), model=f"{name}@sha256:0"
    )


HONEST = _run("honest", [700] * 12 + [950] * 12)
GAMED = _run("gamed", [300] * 12 + [999] * 12)


def test_the_bands_sum_to_the_difference_of_the_averages() -> None:
    """Every image is in one band, shares on an edge in the lower one, and 0 in the first."""
    shares = np.array([0.0, 0.5, 0.500001, 0.75, 0.9, 0.90001, 0.99, 0.991, 1.0])
    first, second = np.arange(9) / 10, np.arange(9)[::-1] / 7
    first[0] = -np.inf
    bands = by_hardness(shares, first, second)
    assert [band.images for band in bands] == [2, 2, 1, 2, 2]
    assert sum(band.difference for band in bands) == pytest.approx(second.mean() - first[1:].sum() / 9)
    assert [band.certified_first for band in bands] == [1, 2, 1, 2, 2]
    with pytest.raises(ShapeMismatch):
        by_hardness(shares, first, second[:3])


def test_a_larger_average_that_certifies_fewer_images_is_found_out() -> None:
    """The page says so above everything, whichever run comes first; equal runs say nothing."""
    for runs in ((HONEST, GAMED), (GAMED, HONEST)):
        found = compare_runs(runs)
        (finding,) = found.findings
        assert finding.startswith("gamed has the larger ACR")
        assert "12 of 24 at radius 0, against 24" in finding
        assert found.as_json()["findings"] == [finding]
        page = comparison_page(found)
        assert page.index("Look twice.") < page.index("<figure")
    assert compare_runs((HONEST, replace(HONEST, model="again@sha256:0"))).findings == ()


def test_a_trade_of_images_certified_at_radius_zero_alone_is_found_out() -> None:
    """A list of radii certifies hard images at exactly 0; giving them up is a loss all the same."""
    steps = (HONEST, replace(HONEST, radii=np.where(HONEST.radii < 0.3, 0.0, HONEST.radii)))
    assert (steps[1].radii == 0).sum() == 12
    (finding,) = compare_runs((steps[1], GAMED)).findings
    assert "12 of 24 at radius 0, against 24" in finding


def test_an_honest_improvement_and_chance_raise_no_alarm() -> None:
    """More radius and more images is no trade; one image fewer in 24 may be luck."""
    better = _run("better", [800] * 12 + [999] * 12)
    lucky = _run("lucky", [300] + [700] * 11 + [999] * 12)
    assert compare_runs((HONEST, better)).findings == ()
    assert compare_runs((HONEST, lucky)).findings == ()
    bands = by_hardness(np.array([0.6, 0.95]), np.array([0.1, 0.5]), np.array([-np.inf, 0.9]))
    sentence = hidden_trade(bands, (0.3, 0.45), ("a", "b"))
    assert sentence is not None
    assert "+0.1500, images above k / n = 0.9 in a bring +0.2000 and all others -0.0500" in sentence


def test_the_mass_at_small_pa_stands_beside_the_average() -> None:
    """Shares on an edge count; the interval holds the average; hard images are summed over the classes."""
    mass = mass_of(_run("one", [250] * 2 + [251] + [500] + [501] * 5 + [900]))
    assert (mass.at_most_quarter, mass.at_most_half, mass.at_least_nine_tenths) == (0.2, 0.4, 0.1)
    assert mass.lower < mass.average_radius < mass.upper
    found = compare_runs((HONEST, GAMED))
    assert [row["at_most_half"] for row in found.as_json()["pa_mass"]] == [0.0, 0.5]
    page = comparison_page(found)
    assert "<td>0.0 %</td>" in page
    assert found.tables[-1].table.rows[-1] == ("all", "12", "0")


def test_the_interval_of_an_average_is_that_of_a_mean() -> None:
    """Over many images a bootstrap of 95 % reaches 1.96 standard errors to either side."""
    counts = np.random.default_rng(0).integers(600, 1000, 2000)
    run = _run("many", counts.tolist())
    mass, error = mass_of(run), run.credited.std() / np.sqrt(2000)
    reach = (mass.upper - mass.average_radius, mass.average_radius - mass.lower)
    assert reach == pytest.approx((1.96 * error, 1.96 * error), rel=0.1)


def test_logs_do_not_tell_how_far_below_one_half_an_image_lies() -> None:
    """Counts recovered from printed radii leave that share unknown; a run without labels has none."""
    log = replace(HONEST, recovered=True)
    assert mass_of(log).at_most_quarter is None
    assert mass_table({"log": mass_of(log)}).rows[0][3] == "unknown"
    with pytest.raises(InvalidParameter, match="label"):
        mass_of(replace(HONEST, labels=None, label_counts=None))


def test_the_distributions_are_laid_over_one_another() -> None:
    """Half of the gamed run's images lie at or below one half, and none of the honest one's."""
    figure = label_share_curves(HONEST, GAMED)
    (half,) = [row for row in figure.table.rows if row[0] == "0.5"]
    assert half == ("0.5", "0.0000", "0.5000")
    assert figure.lines[1].points[1] == (0.3, 0.5)
    assert "gamed: 50.0 % of the images at or below one half" in figure.summary
