"""The report as one HTML page that loads nothing: what was certified first, then the pA distribution."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certd.reports.brackets import band_figure, bracket_figure, bracket_summary
from certd.reports.confidence import confidence_report
from certd.reports.confidence_tables import calibration_table, detection_table, gaps_table
from certd.reports.figures import gallery
from certd.reports.guarantees import guarantees
from certd.reports.headline import accuracies, average_with_defects
from certd.reports.methods import bibliography, methods_sentence
from certd.reports.printed import conditions, floored, images_of
from certd.reports.rendering import render_page
from certd.reports.results import results_of
from certd.reports.summary import warnings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certd.reports.brackets import BracketReport
    from certd.reports.figures import Figure, Table
    from certd.reports.results import Results
    from certd.smoothing.manifest import Manifest
    from certd.smoothing.run import Run

UNVERIFIED = (
    "Nothing by this software: these are the radii of a published log as it prints them, and printing may "
    "have rounded a radius up by half a unit of its last digit."
)
UNVERIFIED_COUNTS = (
    "Nothing by this software: the counts are somebody else's. If each image's draws were independent, and "
    "the noise was what it is said to be, each radius holds with probability at least 1 - alpha, up to the "
    "rounding of noise in floating point."
)
TITLES = {
    "How hard the images are": ("pa-histogram", "pa-distribution", "correct-share", "correct-share-probit"),
    "What is certified": ("certified-accuracy", "radius-histogram", "by-class"),
    "The average certified radius, and what it hides": ("acr-by-budget", "sensitivity", "lorenz"),
}


ATTACKED = "Between what the radii lie"
CONFIDENCE = ("How sure the classifier is", ("reliability", "confidence-density", "risk-coverage"))


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: a title, figures, and tables after them."""

    title: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]


def page_of_run(run: Run) -> str:
    """Return the report of a run as a page.

    It opens with what was certified and what is guaranteed, in words; it prints, adapts to dark screens,
    loads nothing from anywhere, and is the same text for the same run.
    """
    return page_of_results(results_of(run), run.manifest)


def page_of_results(results: Results, manifest: Manifest, attacked: BracketReport | None = None) -> str:
    """Return what :func:`page_of_run` returns, from what the reports read of a run.

    Args:
        results: Of the run.
        manifest: What was certified, with what.
        attacked: What an attack on it found; the page then has a section of that.
    """
    statements = guarantees(results)
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    return _page(results, statements[0]["sentence"], statements[1:], text, attacked)


def page_of_log(results: Results) -> str:
    """Return the report of a published log as a page; it guarantees nothing, and says so."""
    return _page(results, UNVERIFIED if results.recovered else UNVERIFIED_COUNTS, (), None)


def _page(
    results: Results,
    promise: str,
    statements: Sequence[Mapping[str, Any]],
    manifest: str | None,
    attacked: BracketReport | None = None,
) -> str:
    sure = confidence_report(results)
    return render_page(
        "report.html.j2",
        title=_title(results),
        conditions=conditions(results),
        partial="" if results.complete else images_of(results),
        methods=methods_sentence(results),
        promise=promise,
        warnings=[
            *([] if attacked is None else attacked.warnings),
            *warnings_of(results),
            *([] if sure is None else sure.warnings),
        ],
        headline=() if results.labels is None else (accuracies(results),),
        sections=[*sections_of(results), *([] if attacked is None else [attack_section(attacked)])],
        guarantees=[_printed(statement) for statement in statements],
        bibliography=bibliography(results),
        manifest=manifest,
        settings=json.dumps(dict(results.settings), indent=2),
    )


def _title(results: Results) -> str:
    model = results.model.split("@")[0]
    return f"{model} on {results.dataset}" if results.dataset else model


def sections_of(results: Results) -> list[Section]:
    """Return the parts of the page, the pA distribution first; without labels the last one is left out."""
    figures = {figure.name: figure for figure in gallery(results)}
    sections = [
        Section(title, tuple(figures[name] for name in names if name in figures), ())
        for title, names in TITLES.items()
    ]
    if results.labels is None:
        return sections[:-1]
    average = sections[-1]
    averages = Section(average.title, average.figures, (average_with_defects(results),))
    sure = confidence_report(results)
    if sure is None:
        return [*sections[:-1], averages]
    title, names = CONFIDENCE
    tables = (calibration_table(sure), gaps_table(sure), detection_table(sure))
    return [*sections[:-1], averages, Section(title, tuple(figures[name] for name in names), tables)]


def attack_section(attacked: BracketReport) -> Section:
    """Return the part of the page that holds what is proved beside what an attack found."""
    figures = (bracket_figure(attacked), band_figure(attacked)) if attacked.brackets else ()
    return Section(ATTACKED, figures, (bracket_summary(attacked),))


def _printed(statement: Mapping[str, Any]) -> dict[str, str]:
    """Return a statement with its level and bounds rounded down for print."""
    return {
        "name": statement["name"],
        "sentence": statement["sentence"],
        "level": floored(statement["level"], 4),
        "bounds": ", ".join(floored(value) for value in statement["values"]),
    }
