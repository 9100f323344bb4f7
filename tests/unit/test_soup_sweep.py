"""Sweeps over soups: common noise, nothing twice, honest choices, and linear soups exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from certd.datasets import Dataset
from certd.errors import Conflict, InvalidParameter
from certd.models import BaseClassifier
from certd.models.normalized import Normalized
from certd.models.soup_family import CalibrationImages, SoupFamily
from certd.models.soups import soup
from certd.reports.soup_page import soup_page
from certd.reports.soup_report import SoupReport, Threat, soup_report
from certd.smoothing.draws import Phase
from certd.smoothing.soup_final import certify_chosen
from certd.smoothing.soup_question import SoupSweep
from certd.smoothing.soup_sweep import SweepFolder, run_sweep

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (1, 4, 4)


def _classifier(name: str, seed: int, variance: float = 1.0) -> BaseClassifier:
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(16, 3),
    ).eval()  # fmt: skip
    layer = network[1]
    assert isinstance(layer, torch.nn.BatchNorm2d)
    assert layer.running_var is not None
    layer.running_var.fill_(variance)
    return BaseClassifier.from_module(Normalized(network, [0.5], [0.25]), name, SHAPE, 3)


MODELS = {
    "a": _classifier("a", 0), "b": _classifier("b", 1, 3.0), "twin": _classifier("twin", 0),
}  # fmt: skip


def _images(start: int, stop: int) -> Dataset:
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, (100, *SHAPE), dtype=np.uint8)[start:stop]
    labels = rng.integers(0, 3, 100)[start:stop]
    return Dataset("noise", pixels, labels, np.arange(start, stop, dtype=np.uint64))


def _question(
    parts: tuple[str, ...], grid: tuple[tuple[int, ...], ...], images: Dataset, **more: Any
) -> SoupSweep:
    return SoupSweep(
        ingredients=tuple(MODELS[part].reference for part in parts), units=2, grid=grid, dataset="noise",
        image_ids=tuple(int(each) for each in images.image_ids), sigmas=(0.25,), seed=5,
        options={"plan": "fixed", "n": 60, "n0": 20}, **more,
    )  # fmt: skip


def _family(parts: tuple[str, ...], calibration: CalibrationImages | None = None) -> SoupFamily:
    return SoupFamily(parts, MODELS.__getitem__, calibration)


def _swept(
    folder: SweepFolder, parts: tuple[str, ...], grid: tuple[tuple[int, ...], ...], **more: Any
) -> SoupReport:
    images = _images(0, 40)
    question = _question(parts, grid, images, **more)
    run_sweep(question, folder, _family(parts), images)
    rows = [
        (question.name(each), question.grid[each] if isinstance(each, int) else None, {0.25: run})
        for each in question.members
        if (run := folder.read(each, 0.25)) is not None
    ]
    return soup_report(rows, 2, question.ingredients)


def test_equal_soups_get_equal_counts(tmp_path: Path) -> None:
    """Three ways to the same weights give the same votes; other weights do not."""
    folder = SweepFolder(tmp_path)
    _swept(folder, ("a", "twin", "b"), ((2, 0, 0), (1, 1, 0), (0, 2, 0), (1, 0, 1)))
    runs = [folder.read(each, 0.25) for each in range(4)]
    counts = [
        [certificate.record.tallies[Phase.ESTIMATION].counts.tolist() for certificate in run.certificates]
        for run in runs
        if run is not None
    ]
    assert counts[0] == counts[1] == counts[2]
    assert counts[3] != counts[0]


def test_a_stopped_sweep_goes_on_to_the_same_end(tmp_path: Path) -> None:
    """What is finished is not done again, and nothing differs from a sweep that was never stopped."""
    images, grid = _images(0, 40), ((2, 0), (1, 1), (0, 2))
    question, seen = _question(("a", "b"), grid, images), []

    def stop(count: int) -> None:
        seen.append(count)
        if sum(seen) > len(images):
            raise KeyboardInterrupt

    whole, stopped = SweepFolder(tmp_path / "whole"), SweepFolder(tmp_path / "stopped")
    run_sweep(question, whole, _family(("a", "b")), images)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(question, stopped, _family(("a", "b")), images, stop)
    kept = (tmp_path / "stopped" / "00000-0.25.parquet").stat().st_mtime_ns
    run_sweep(question, stopped, _family(("a", "b")), images)
    assert (tmp_path / "stopped" / "00000-0.25.parquet").stat().st_mtime_ns == kept
    for file in sorted((tmp_path / "whole").iterdir()):
        assert (tmp_path / "stopped" / file.name).read_bytes() == file.read_bytes(), file.name
    with pytest.raises(Conflict):
        run_sweep(question.model_copy(update={"seed": 6}), stopped, _family(("a", "b")), images)


def test_noise_levels_that_hardly_differ_have_runs_of_their_own(tmp_path: Path) -> None:
    """A level's whole number is in the name of its run; none stands for, or overwrites, another's."""
    images, sigmas = _images(0, 4), (0.25, 0.25000001)
    question = _question(("a", "b"), ((2, 0),), images).model_copy(update={"sigmas": sigmas})
    folder = SweepFolder(tmp_path)
    run_sweep(question, folder, _family(("a", "b")), images)
    found = [folder.read(0, sigma) for sigma in sigmas]
    assert [run and run.manifest.certification.noise.sigma for run in found] == list(sigmas)


def test_a_sweep_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """Its names have six digits of a level, and are taken for no other level."""
    images, sigma = _images(0, 4), 12 / 255
    question = _question(("a", "b"), ((2, 0),), images).model_copy(update={"sigmas": (sigma, 1.0)})
    folder = SweepFolder(tmp_path)
    run_sweep(question, folder, _family(("a", "b")), images)
    for level, earlier in ((repr(sigma), "0.0470588"), ("1.0", "1")):
        (tmp_path / f"00000-{level}.parquet").rename(tmp_path / f"00000-{earlier}.parquet")
    done: list[int] = []
    run_sweep(question, folder, _family(("a", "b")), images, done.append)
    assert done == [8]
    assert folder.read(0, 0.0470588) is None


def test_a_soup_that_is_no_network_is_noted_and_the_others_go_on(tmp_path: Path) -> None:
    """Averaged variances of 1 and 3 turn negative at weights 2 and -1; estimated ones never do."""
    folder, images = SweepFolder(tmp_path), _images(0, 40)
    report = _swept(folder, ("a", "b"), ((6, -4), (2, 0)))
    assert "calibration" in (folder.refused(0) or "")
    assert [row.name for row in report.rows] == ["soup-1-0"]
    assert _question(("a", "b"), ((6, -4), (-4, 6)), images).name(1) == "soup-m2-3"
    calibration = CalibrationImages(_images(60, 100), 0.25, 0, 20)
    family = _family(("a", "b"), calibration)
    cooked = family.cook("far", (6, -4), 2)
    assert cooked.statistics is not None
    assert cooked.classifier.digest == family.cook("far", (6, -4), 2).classifier.digest
    question = _question(("a", "b"), ((6, -4),), images, calibration=calibration.told())
    run_sweep(question, SweepFolder(tmp_path / "calibrated"), family, images)
    fitted = question.model_copy(update={"image_ids": tuple(range(60, 100))})
    with pytest.raises(InvalidParameter, match="calibration"):
        run_sweep(fitted, SweepFolder(tmp_path / "fitted"), family, _images(60, 100))


def test_the_final_certificate_takes_other_images_and_fresh_noise(tmp_path: Path) -> None:
    """Images that chose the soup are refused, also under other names; forced, the run says so itself."""
    folder = SweepFolder(tmp_path)
    # The first soup is refused, and has no run to know the images by.
    _swept(folder, ("a", "b"), ((6, -4), (2, 0)))
    asked: dict[str, Any] = {"plan": "fixed", "n": 60, "n0": 20, "sigma": 0.25}
    for seed in (5, "5"):
        with pytest.raises(InvalidParameter, match="seed"):
            certify_chosen(folder, MODELS["a"], _images(40, 50), seed=seed, **asked)
    renamed = Dataset(
        "other", _images(35, 45).images, _images(35, 45).labels, np.arange(900, 910, dtype=np.uint64)
    )
    for images in (_images(35, 45), renamed):
        with pytest.raises(InvalidParameter, match="5 of these images"):
            certify_chosen(folder, MODELS["a"], images, **asked)
    forced = certify_chosen(folder, MODELS["a"], renamed, force=True, **asked)
    assert "5 of the images chose" in forced.manifest.settings["marked"]
    clean = certify_chosen(folder, MODELS["a"], _images(40, 50), **asked)
    assert clean.manifest.marks == ()
    assert clean.manifest.certification.seed != 5


def test_the_union_asks_for_every_threat(tmp_path: Path) -> None:
    """An image counts once it withstands all; an linf ball is covered by the l2 ball around it."""
    report = _swept(SweepFolder(tmp_path), ("a", "b"), ((2, 0), (1, 1), (0, 2)), ensemble=True)
    threats = (Threat(0.25, "l2", 0.05), Threat(0.25, "linf", 0.02))
    several = SoupReport(report.rows, 2, report.ingredients, threats, 16)
    for row in several.rows:
        results = row.results[0.25]
        both = results.correct & (results.radii >= 0.05) & (results.radii > 0.08)
        assert several.union(row).tolist() == both.tolist()
    assert several.best(1)[0].weights is not None
    assert "ensemble" in soup_page(several)
    with pytest.raises(InvalidParameter):
        Threat.parse("l2:0.5")


def test_few_images_choose_worse_than_many(tmp_path: Path) -> None:
    """The soup that more images chose is no worse on average; nothing beats the best possible one."""
    report = _swept(SweepFolder(tmp_path), ("a", "b"), ((2, 0), (1, 1), (0, 2), (3, -1)))
    found = report.selection(sizes=(2, 20, 100))
    assert [row["images"] for row in found] == [2, 20]
    for row in found:
        assert row["least"] - 1e-9 <= row["mean"] <= row["largest"] + 1e-9
        assert row["largest"] <= row["best_possible"]
    # All twenty of the pool choose the same soup every time but for ties.
    assert found[1]["soups_chosen"] <= found[0]["soups_chosen"]


@pytest.mark.parametrize(
    ("steps", "accuracy", "radius"),
    [(0, 0.9861, 0.6049), (5, 0.9861, 0.6165), (8, 0.9861, 0.6449), (10, 0.9722, 0.7725), (12, 0.0139, None)],
)
def test_linear_soups_of_digits_are_exact(steps: int, accuracy: float, radius: float | None) -> None:
    """A linear model's radius is its margin, whatever sigma: the soup of two regressions, to four digits."""
    pixels, digits = load_digits(return_X_y=True)
    kept = np.isin(digits, (3, 8))
    pixels, classes = pixels[kept] / 16, (digits[kept] == 8).astype(int)
    test = np.arange(len(pixels)) % 5 == 0
    assert test.sum() == 72
    # The figures are of the optimum, which the default tolerance stops short of.
    optimum = {"tol": 1e-10, "max_iter": 100_000}
    fitted = [LogisticRegression(C=c, **optimum).fit(pixels[~test], classes[~test]) for c in (100, 0.01)]
    states = [{"weight": torch.tensor(m.coef_[0]), "bias": torch.tensor(m.intercept_)} for m in fitted]
    made = {name: values.numpy() for name, values in soup(states, (10 - steps, steps), 10).items()}
    margins = (pixels[test] @ made["weight"] + made["bias"]) * (2 * classes[test] - 1)
    radii = np.maximum(margins, 0) / np.linalg.norm(made["weight"])
    assert (margins > 0).mean() == pytest.approx(accuracy, abs=5e-5)
    if radius is not None:
        assert radii.mean() == pytest.approx(radius, abs=5e-5)
