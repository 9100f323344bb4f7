"""Published logs: what they say, what they hide, and what they get wrong."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import beta, norm

from certd.errors import InvalidParameter, UnreadableInput
from certd.reports import Results, average_certified_radius, certified_accuracy
from certd.reports.budget_curve import most_frequent_share
from certd.reports.exporters import export_cohen
from certd.reports.importers import import_cohen, read_cohen_rows
from certd.reports.pa_distribution import correct_share_curve
from certd.reports.recovery import recover_budget, recover_counts
from certd.statistics import gaussian_radius, lower_bounds_table

CHECKOUT = Path(__file__).resolve().parents[2]
LOGS = Path(os.environ.get("CERTD_TEST_DATA", CHECKOUT.parent / "shared" / "data")) / "logs"
HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
N, ALPHA = 100_000, 0.001

# sigma: ACR, and certified accuracy at 0, .25, .5, ...
PUBLISHED = {
    "0.12": (0.2758, (0.832, 0.598)),
    "0.25": (0.4240, (0.766, 0.612, 0.422, 0.251)),
    "0.50": (0.5251, (0.657, 0.549, 0.428, 0.325, 0.220, 0.141, 0.083)),
    "1.00": (0.5105, (0.471, 0.409, 0.338, 0.277, 0.221, 0.172, 0.133)),
}


def _published(name: str, sigma: str) -> Results:
    file = LOGS / f"{name}_{sigma}.tsv"
    if not file.is_file():
        reason = f"{LOGS} holds no published logs; CERTD_TEST_DATA says where they are."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return import_cohen(file.read_text(), float(sigma))


@pytest.mark.parametrize("sigma", PUBLISHED)
def test_published_logs_give_the_published_figures(sigma: str) -> None:
    """ACR to four digits and certified accuracy to three, from 10,000 images each."""
    results = _published("cifar10_resnet110_gaussian_sigma", sigma)
    average, accuracies = PUBLISHED[sigma]
    assert len(results) == 10_000
    assert (results.settings["n"], results.alpha) == (N, ALPHA)
    assert average_certified_radius(results.radii, results.correct) == pytest.approx(average, abs=5e-5)
    grid = [0.25 * i for i in range(len(accuracies))]
    found = certified_accuracy(results.radii, results.correct, grid)
    assert found == pytest.approx(accuracies, abs=6e-4)


def test_the_published_imagenet_log_gives_the_published_average() -> None:
    """Five hundred images, every hundredth of the validation set."""
    results = _published("imagenet_resnet50_gaussian_sigma", "0.50")
    assert len(results) == 500
    assert average_certified_radius(results.radii, results.correct) == pytest.approx(0.7423, abs=5e-5)


@pytest.mark.parametrize("sigma", PUBLISHED)
def test_the_curve_of_shares_is_recovered_exactly(sigma: str) -> None:
    """S(x) from recovered counts differs by 0 from the direct formula over the printed radii."""
    results = _published("cifar10_resnet110_gaussian_sigma", sigma)
    curve = correct_share_curve(results.top_counts, results.draws, results.correct)
    bounds = lower_bounds_table(N, ALPHA)
    counts = np.minimum(np.searchsorted(bounds, ndtr(results.radii / float(sigma)), side="left"), N)
    direct = [
        float((results.correct & (counts >= per_mille * (N // 1000))).mean())
        for per_mille in range(500, 1001)
    ]
    assert np.abs(curve - direct).max() == 0


def test_counts_survive_export_and_import() -> None:
    """What a run counted is recovered from six printed digits, for every kind of count."""
    counts = np.concatenate([np.arange(50_490, N, 997), [N - 2, N - 1, N]])
    radii = gaussian_radius(counts, N, ALPHA, 0.25)
    lines = [f"{i}\t3\t3\t{r!r}\t1\t0.5" for i, r in enumerate(radii.tolist())]
    first = import_cohen(HEADER + "\n".join([*lines, "9999\t3\t-1\t0.0\t0\t0.5"]), 0.25)
    assert first.top_counts.tolist() == [*counts.tolist(), 0]
    second = import_cohen(export_cohen(first), 0.25)
    assert second.top_counts.tolist() == first.top_counts.tolist()
    assert (second.radii <= first.radii).all()
    assert second.certified.tolist() == first.certified.tolist()


def test_exact_radii_of_other_software_name_their_counts() -> None:
    """Our bounds are rounded down, theirs are not: a radius 1e-10 above ours is of the same count."""
    counts = np.arange(50_490, N + 1, 503)
    radii = 0.25 * norm.ppf(beta.ppf(ALPHA, counts, N - counts + 1))
    assert recover_counts(radii, 0.25, N, ALPHA).tolist() == counts.tolist()


def test_exported_radii_are_never_rounded_up() -> None:
    """A printed radius was proved: it is the floor to its digits."""
    results = import_cohen(
        HEADER + "0\t1\t1\t0.45599999\t1\t1\n1\t1\t1\t0.95286\t1\t1\n", 0.25, budget=(N, ALPHA)
    )
    printed = [line.split("\t")[3] for line in export_cohen(results, decimals=3).splitlines()[1:]]
    assert printed == ["0.455", "0.952"]


def test_running_sums_in_the_correct_column_are_ignored() -> None:
    """Some published logs sum `correct` up; whether an image is right follows from label and prediction."""
    text = HEADER + "0\t1\t1\t0.4\t1\t1\n1\t2\t2\t0.4\t2\t1\n2\t2\t0\t0.4\t2\t1\n3\t2\t-1\t0.0\t2\t1\n"
    results = import_cohen(text, 0.25, budget=(N, ALPHA))
    assert results.correct.tolist() == [True, True, False, False]
    assert results.label_counts is not None
    assert results.label_counts[2:].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("15.4", 15.4), ("0:02:31.2", 151.2), ("1:00:00", 3600.0), ("1 day, 0:00:01", 86401.0)],
)
def test_both_forms_of_time_are_read(time: str, seconds: float) -> None:
    """Seconds, or hours, minutes and seconds."""
    (row,) = read_cohen_rows(f"{HEADER}0\t1\t1\t0.4\t1\t{time}\n")
    assert row.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("largest", "sigma", "budget"),
    [
        ("0.953", 0.25, (N, 0.001)),
        ("0.978", 0.25, (N, 0.01)),
        ("0.457", 0.12, (N, 0.001)),
        ("1.9553", 0.5, (N, 0.01)),
        ("3.81", 1.0, (N, 0.001)),
    ],
)
def test_the_largest_radius_gives_the_budget_away(
    largest: str, sigma: float, budget: tuple[int, float]
) -> None:
    """3.811 sigma is (1e5, .001) and 3.911 sigma is (1e5, .01), whichever way the last digit was rounded."""
    assert recover_budget([Decimal("0.1"), Decimal(largest)], sigma) == budget


def test_a_log_that_no_usual_budget_explains_is_refused() -> None:
    """A guess would make every recovered count wrong."""
    with pytest.raises(InvalidParameter, match="say n and alpha"):
        import_cohen(HEADER + "0\t1\t1\t0.5\t1\t1\n", 0.25)


def test_a_log_that_stops_short_is_partial() -> None:
    """The ImageNet log at sigma .25 stops at 427 of 500; its report must say so."""
    rows = "".join(f"{100 * i}\t1\t1\t0.953\t1\t1\n" for i in range(427))
    results = import_cohen(HEADER + rows, 0.25, requested=500)
    assert (len(results), results.requested, results.complete) == (427, 500, False)


@pytest.mark.parametrize(
    "text",
    [
        "idx,label,predict,radius,correct,time\n",
        HEADER + "0\t1\t1\t0.4\t1\n",
        HEADER + "0\t1\tx\t0.4\t1\t1\n",
        HEADER + "0\t1\t1\tnan\t1\t1\n",
        HEADER + "0\t1\t1\t-0.4\t1\t1\n",
        HEADER + "0\t1\t1\t0.4\t1\tnow\n",
        HEADER,
    ],
)
def test_what_is_no_log_is_refused(text: str) -> None:
    """Another header, missing or unreadable fields, and an empty log."""
    with pytest.raises(UnreadableInput):
        import_cohen(text, 0.25, budget=(N, ALPHA))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0\t3\t3\t0.4\t1\t1", "Line 3: image 0 was on line 2 already"),
        ("1\t-1\t3\t0.4\t1\t1", "Line 3: the label is -1"),
        ("1\t3000000000\t3\t0.4\t1\t1", "Line 3: the label is 3000000000"),
        ("1\t30000000000000000000\t3\t0.4\t1\t1", "Line 3: the label is 3000"),
        ("1\t3\t-2\t0.4\t1\t1", "Line 3: the prediction is -2"),
        ("1\t3\t3000000000\t0.4\t1\t1", "Line 3: the prediction is 3000000000"),
        ("30000000000000000000\t3\t3\t0.4\t1\t1", "Line 3: the index is 3000"),
    ],
)
def test_no_image_counts_twice_and_no_class_is_impossible(line: str, said: str) -> None:
    """The message names the line, and nothing is allocated by the size of a number in it."""
    with pytest.raises(UnreadableInput, match=said):
        import_cohen(f"{HEADER}0\t3\t3\t0.4\t1\t1\n{line}\n", 0.25, budget=(N, ALPHA))


def test_the_most_frequent_label_is_found_however_large_it_is() -> None:
    """Memory goes with the images, not with the numbers of their classes."""
    rows = f"0\t{2**31 - 1}\t3\t0.953\t0\t1\n1\t7\t7\t0.5\t1\t1\n2\t7\t7\t0.5\t1\t1\n"
    assert most_frequent_share(import_cohen(HEADER + rows, 0.25)) == pytest.approx(2 / 3)


def test_radii_above_the_cap_count_every_draw() -> None:
    """Rounding up lifts a saturated radius above its cap; its count is n, not n + 1."""
    assert recover_counts(np.array([0.953, 0.9528]), 0.25, N, ALPHA).tolist()[0] == N
