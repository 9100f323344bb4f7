"""plot, table, compare and check: what a person types after a run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from certd.cli import app
from certd.errors import InvalidParameter, NotFound
from certd.reports import average_certified_radius
from certd.reports.checks import Condition
from certd.reports.importers import Conditions, import_counts
from certd.reports.results_file import write_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certd.reports import Results
    from certd.reports.checks import Side

IMAGES = 60


def results(seed: int, sigma: float = 0.5, images: int = IMAGES) -> Results:
    """Return a run over three classes; the larger the seed, the harder its images."""
    random = np.random.default_rng(seed)
    top = random.integers(400 - 20 * seed, 1001, images)
    rows = [
        f"{i},{i % 3},"
        + ",".join(
            str(k if c == i % 3 else (1000 - k) // 2 + (1000 - k) % 2 * (c == (i + 1) % 3)) for c in range(3)
        )
        for i, k in enumerate(top.tolist())
    ]
    return import_counts("idx,label,a,b,c\n" + "\n".join(rows), Conditions(sigma), model=f"model-{seed}")


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    """Return what writes a run and tells its file's name."""

    def save(name: str, run: Results) -> str:
        with (tmp_path / name).open("wb") as stream:
            write_results(stream, run)
        return str(tmp_path / name)

    return save


def certd(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_every_figure_is_written_in_every_form(saved: Callable[..., str], tmp_path: Path) -> None:
    """One file a figure; a name that is not there is answered with those that are."""
    run = saved("a", results(1))
    for form, begin in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("json", b"{")):
        done = certd("plot", run, "--format", form, "--figure", "pa-histogram", "--out", str(tmp_path / "f"))
        assert done.exit_code == 0, done.output
        assert (tmp_path / "f" / f"pa-histogram.{form}").read_bytes().startswith(begin)
    assert len(certd("plot", run, "--out", str(tmp_path / "all")).stdout.splitlines()) == 10
    missing = certd("plot", run, "--figure", "nope")
    assert isinstance(missing.exception, NotFound)
    assert "lorenz" in missing.exception.message


def test_a_table_is_printed_for_one_run_and_for_several(saved: Callable[..., str]) -> None:
    """Best values are bold where runs stand below one another; the caption holds the conditions."""
    one, other = saved("a", results(1)), saved("b", results(3))
    single = certd("table", one, "--format", "tex").stdout
    assert "textbf" not in single
    assert "alpha = 0.001" in single
    both = certd("table", one, other, "--format", "tex", "--radii", "0.1,0.2").stdout
    assert both.count("textbf") == 3
    assert "r = 0.1 & r = 0.2" in both
    assert certd("table", one, "--name", "lorenz", "--format", "csv").stdout.count("\n") > 3
    assert isinstance(certd("table", one, other, "--name", "lorenz").exception, InvalidParameter)


@pytest.mark.parametrize("radii", ["-1,nan", "0,inf", "-0.25"])
def test_a_column_that_is_no_radius_is_refused(saved: Callable[..., str], radii: str) -> None:
    """Certified accuracy at -1 is not a number of the run."""
    done = certd("table", saved("a", results(1)), f"--radii={radii}")
    assert isinstance(done.exception, InvalidParameter), done.output
    assert "from 0" in done.exception.message


@pytest.mark.parametrize(
    "command", [["estimate", "digits-cnn"], ["certify", "digits-cnn", "digits", "--limit=1"]]
)
def test_a_default_list_of_radius_zero_alone_is_warned_of(command: list[str]) -> None:
    """In linf, whose radii are small: before anything is spent, with radii that are within reach."""
    asked = [*command, "--sigma=0.25", "--norm=linf", "--n=1000"]
    done = certd(*asked)
    assert "warning: the default list of radii is 0 alone" in done.stderr
    found = re.search(r"--radii ([\d.,]+)", done.stderr)
    assert found is not None
    assert "warning" not in certd(*asked, f"--radii={found[1]}").stderr
    assert "warning" not in certd(*asked, "--radii=0").stderr


def test_runs_are_compared_or_refused(saved: Callable[..., str], tmp_path: Path) -> None:
    """Unequal sigma is refused, and marked in every output where it is forced."""
    one, other, loud = saved("a", results(1)), saved("b", results(3)), saved("c", results(1, sigma=0.25))
    found = json.loads(certd("compare", one, other, "--json").stdout)
    assert found["runs"] == ["model-1", "model-3"]
    assert found["marks"] == []
    assert found["against_first"][0]["average_radius"]["difference"] > 0
    refused = certd("compare", one, loud)
    assert isinstance(refused.exception, InvalidParameter)
    assert "sigma: 0.5 against 0.25" in refused.exception.message
    page = tmp_path / "page.html"
    forced = certd("compare", one, loud, "--force", "--html", str(page))
    assert "NOT COMPARABLE" in forced.stdout
    assert "Not comparable: the runs differ in sigma" in page.read_text()
    assert page.read_text().count("NOT COMPARABLE") == 3, "each figure carries the mark"
    assert "Not comparable" in certd("table", one, loud, "--force", "--format", "tex").stdout
    assert isinstance(certd("compare", one).exception, InvalidParameter)


def test_three_runs_are_held_against_the_first(saved: Callable[..., str]) -> None:
    """Each other run has its own tests."""
    files = [saved(str(seed), results(seed)) for seed in (1, 2, 3)]
    said = certd("compare", *files).stdout
    assert "model-2 against model-1" in said
    assert "model-3 against model-1" in said


def test_a_gate_opens_and_closes_on_exact_counts(saved: Callable[..., str]) -> None:
    """Exit 0, or 1 with the condition that failed; equality holds."""
    run = results(1)
    file = saved("a", run)
    right = int(run.correct.sum())
    assert certd("check", file, "--min", f"acc@0>={right / IMAGES:.20f}").exit_code in {0, 1}
    assert certd("check", file, "--min", "acc@0>=1e0").exit_code == 1
    passed = certd(
        "check",
        file,
        "--min",
        "acc@0>=0.1",
        "--min",
        "acr>=0.01",
        "--min",
        "pa@0.5>=0.3",
        "--max",
        "abstain<=0.9",
    )
    assert passed.exit_code == 0, passed.output
    assert f"{right} of {IMAGES}" in passed.stdout
    failed = certd("check", file, "--min", "acc@0>=0.1", "--max", "abstain<=0.0000001", "--json")
    assert failed.exit_code == 1
    assert [outcome["holds"] for outcome in json.loads(failed.stdout)] == [True, False]


def test_conditions_are_decided_on_fractions() -> None:
    """A limit of 0.1 is one tenth and no float beside it: 6 of 60 is at most that."""
    run = results(1)
    certified = np.arange(IMAGES) >= 6
    exact = type(run)(**{**{n: getattr(run, n) for n in run.__dataclass_fields__}, "certified": certified})
    assert Condition.parse("abstain<=0.1", "max").judge(exact).holds
    assert not Condition.parse("abstain<=0.0999999999999999999999", "max").judge(exact).holds
    value = average_certified_radius(exact.radii, exact.correct)
    assert Condition.parse("acr>=0.1", "min").judge(exact).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("share", "reached"), [("0.7", 3), ("0.70000000000000000000001", 2), ("0", 4), ("1", 0)]
)
def test_a_gate_on_pa_counts_images_whose_label_has_that_share(share: str, reached: int) -> None:
    """As acc@R counts those that reach R; a share of the draws is compared as a fraction."""
    run = import_counts("label,a,b\n0,90,10\n0,70,30\n0,10,90\n1,10,90\n", Conditions(0.5))
    outcome = Condition.parse(f"pa@{share}>={reached / 4}", "min").judge(run)
    assert (outcome.holds, outcome.value) == (True, reached / 4)
    assert outcome.evidence.startswith(f"{reached} of 4")


def test_a_gate_on_pa_counts_each_image_of_equal_ones() -> None:
    """Rows may stand for many images."""
    run = import_counts("label,a,b\n0,90,10\n0,10,90\n", Conditions(0.5))
    images, rows = np.array([8, 2]), np.arange(2, dtype=np.int32)
    many = replace(run, weights=images, label_weights=images, order=np.repeat(rows, images))
    assert Condition.parse("pa@0.9>=0.8", "min").judge(many).evidence.startswith("8 of 10")


@pytest.mark.parametrize(
    ("side", "text", "hint"),
    [
        ("max", "abstain<=10", "abstain<=0.1"),
        ("min", "acc@0>=50", "acc@0>=0.5"),
        ("min", "pa@0.5>=90", "pa@0.5>=0.9"),
        ("min", "acc@0>=-1", "in [0, 1]"),
        ("min", "pa@2>=0.1", "in [0, 1]"),
    ],
)
def test_a_share_that_is_none_is_refused_with_the_fraction(side: Side, text: str, hint: str) -> None:
    """A gate in per cent would stand open, or shut, for ever."""
    with pytest.raises(InvalidParameter, match=re.escape(hint)):
        Condition.parse(text, side)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--min", "acc>=0.4"),
        ("--min", "acc@0.5<=0.4"),
        ("--max", "abstain>=0.4"),
        ("--min", "accuracy@0.5>=0.4"),
        ("--min", "acc@0.5"),
        ("--min", "acr@1>=0.1"),
        ("--min", "acc@0.5>=many"),
        ("--min", "acc@0.5>=-"),
        ("--min", "pa@2>=0.1"),
    ],
)
def test_what_is_no_condition_is_refused(saved: Callable[..., str], option: str, text: str) -> None:
    """A misspelt gate must not stand open."""
    done = certd("check", saved("a", results(1)), option, text)
    assert isinstance(done.exception, InvalidParameter), done.output


def test_a_gate_without_conditions_or_on_half_a_run_is_refused(saved: Callable[..., str]) -> None:
    """Nothing to judge is no success."""
    run = results(1)
    half = type(run)(**{**{n: getattr(run, n) for n in run.__dataclass_fields__}, "requested": 2 * IMAGES})
    file = saved("half", half)
    assert isinstance(certd("check", file).exception, InvalidParameter)
    refused = certd("check", file, "--min", "acr>=0")
    assert isinstance(refused.exception, InvalidParameter)
    assert "60 of 120" in refused.exception.message
    assert certd("check", file, "--min", "acr>=0", "--partial").exit_code == 0


def test_a_report_tells_its_methods_and_its_sources(saved: Callable[..., str]) -> None:
    """For a paper: a sentence, and BibTeX of what was used."""
    file = saved("a", results(1))
    assert "1,000 draws" in certd("report", file, "--methods").stdout
    assert "@inproceedings{cohen2019" in certd("report", file, "--bibtex").stdout
