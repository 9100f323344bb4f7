"""Counts and arrays of other software become results; whatever cannot be what it is said to be is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from certd.errors import CannotCertify, InvalidParameter, NotFound, UnreadableInput
from certd.reports.importers import Conditions, import_cohen, import_counts, import_rs4a
from certd.statistics import clopper_pearson_lower, gaussian_radius

if TYPE_CHECKING:
    from pathlib import Path

CONDITIONS = Conditions(sigma=0.5)
COUNTS = "idx,label,cat,dog,owl\n7,0,980,15,5\n9,1,700,200,100\n12,2,400,300,300\n"


def test_counts_are_certified_without_a_split() -> None:
    """One vector of counts both chooses the class and bounds it: half of alpha is left for the bound."""
    results = import_counts(COUNTS, CONDITIONS)
    assert results.image_ids.tolist() == [7, 9, 12]
    assert results.correct.tolist() == [True, False, False]
    assert results.certified.tolist() == [True, True, False]
    assert results.label_counts is not None
    assert results.label_counts.tolist() == [980, 200, 300]
    assert results.radii[0] == pytest.approx(gaussian_radius(980, 1000, 0.0005, 0.5), abs=1e-6)
    assert results.radii[0] < gaussian_radius(980, 1000, 0.001, 0.5)
    assert results.settings["split"] is False


def test_counts_without_labels_and_numbers_are_taken_in_order() -> None:
    """Only the classes need columns; tabs serve as well as commas."""
    results = import_counts("a\tb\n90\t10\n99\t1\n", CONDITIONS)
    assert results.labels is None
    assert results.image_ids.tolist() == [0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "label,a,b\n",
        "label,a,b\n0,1\n",
        "label,a,b\n0,-1,2\n",
        "label,a,b\n0,1.5,2\n",
        "label,a,b\n2,500,500\n",
        "label,a\n0,1000\n",
        "label,a,a\n0,900,100\n",
        "label,a,b\n0,900,100\n1,90,10\n",
        "label,a,b\n0,0,0\n",
        "a,b\n99999999999999999999,1\n",
        "a,b\n999999999999999999,1\n",
        "idx,a,b\n4,900,100\n4,900,100\n",
    ],
)
def test_what_is_no_table_of_counts_is_refused(text: str) -> None:
    """Missing, negative, broken and contradictory rows; budgets that differ from row to row."""
    with pytest.raises(UnreadableInput):
        import_counts(text, CONDITIONS)


def test_counts_that_can_certify_nothing_are_refused() -> None:
    """Ten draws at alpha = .001 abstain whatever they are."""
    with pytest.raises(CannotCertify):
        import_counts("a,b\n10,0\n", CONDITIONS)


def _save_rs4a(folder: Path, n: int = 1000, alpha: float = 0.001) -> list[int]:
    """Write the arrays as the published scripts compute them, statsmodels' interval included."""
    counts = [990, 700, 505]
    shares = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.4, 0.3, 0.3]])
    bounds = [proportion_confint(count, n, alpha=alpha, method="beta")[0] for count in counts]
    np.save(folder / "preds.npy", shares)
    np.save(folder / "labels.npy", np.array([0, 0, 0]))
    np.save(folder / "prob_lb.npy", np.array(bounds))
    return counts


def test_arrays_of_rs4a_give_their_counts_back(tmp_path: Path) -> None:
    """Its interval is two-sided: the certificate it makes fails with half of alpha, and is read so."""
    counts = _save_rs4a(tmp_path)
    results = import_rs4a(tmp_path, CONDITIONS, 1000)
    assert results.top_counts.tolist() == counts
    assert results.alpha == pytest.approx(0.0005)
    assert results.certified.tolist() == [True, True, False]
    assert results.correct.tolist() == [True, False, False]
    lower = clopper_pearson_lower(990, 1000, 0.0005)
    assert results.guarantee.bound(990, 1000, 0.0005).p_a_lower == pytest.approx(lower, rel=1e-9)


def test_arrays_of_another_budget_are_refused(tmp_path: Path) -> None:
    """Bounds that no count of so many draws has would be recovered wrong, image for image."""
    _save_rs4a(tmp_path)
    with pytest.raises(UnreadableInput, match="cannot give"):
        import_rs4a(tmp_path, CONDITIONS, 500)
    with pytest.raises(UnreadableInput, match="cannot give"):
        import_rs4a(tmp_path, Conditions(sigma=0.5, alpha=0.01), 1000)


def test_missing_and_unequal_arrays_are_refused(tmp_path: Path) -> None:
    """The message names the file that is not there."""
    with pytest.raises(NotFound, match=r"preds\.npy"):
        import_rs4a(tmp_path, CONDITIONS, 1000)
    _save_rs4a(tmp_path)
    np.save(tmp_path / "labels.npy", np.array([0]))
    with pytest.raises(UnreadableInput, match="same images"):
        import_rs4a(tmp_path, CONDITIONS, 1000)


@pytest.mark.parametrize("label", [-1, 3, 2**40])
def test_labels_beyond_the_classes_are_refused(tmp_path: Path, label: int) -> None:
    """Shares are of three classes."""
    _save_rs4a(tmp_path)
    np.save(tmp_path / "labels.npy", np.array([0, label, 0]))
    with pytest.raises(UnreadableInput, match="label"):
        import_rs4a(tmp_path, CONDITIONS, 1000)


def test_a_norm_that_the_noise_does_not_certify_is_refused() -> None:
    """Uniform noise proves l1 radii."""
    with pytest.raises(InvalidParameter, match="certifies"):
        import_counts(COUNTS, Conditions(sigma=0.5, noise="uniform", norm="l2"))


def test_a_budget_that_cannot_reach_the_largest_radius_is_refused() -> None:
    """Ten thousand draws certify .7996 at sigma .25; half a unit of the last digit is left to rounding."""
    header = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
    with pytest.raises(InvalidParameter, match=r"at most 0\.799"):
        import_cohen(header + "0\t1\t1\t0.953\t1\t1\n", 0.25, budget=(10_000, 0.001))
    assert len(import_cohen(header + "0\t1\t1\t0.8\t1\t1\n", 0.25, budget=(10_000, 0.001))) == 1
    with pytest.raises(InvalidParameter, match="at most"):
        import_cohen(header + "0\t1\t1\t0.801\t1\t1\n", 0.25, budget=(10_000, 0.001))
