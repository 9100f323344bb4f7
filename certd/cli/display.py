"""What a person sees in a terminal: a progress bar, the table of certificates, the report in short."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from certd.statistics import floor_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from certd.client import Client
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.plans import AnyPlan

HEADLINE_RADII = (0.0, 0.25, 0.5, 0.75)


@contextmanager
def progress_bar(total: int, title: str) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error; yields what advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)


def watching(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Show a job of a service on standard error until it ends, and return it as it ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(job["status"], total=job["progress"]["draws_expected"])

        def on_progress(now: dict[str, Any]) -> None:
            progress = now["progress"]
            bar.update(
                task,
                description=now["status"],
                completed=progress["draws_done"],
                total=progress["draws_expected"],
            )

        return client.wait(job["id"], on_progress)


def show_certificates(rows: Sequence[dict[str, Any]]) -> None:
    """Print one line an image. Bounds and radii are rounded down: a larger one was never proved."""
    table = Table("index", "label", "prediction", "pA estimate", "pA lower bound", "radius", box=None)
    for column in table.columns:
        column.justify = "right"
    for row in rows:
        abstained = row["prediction"] is None
        table.add_row(
            str(row["image_id"]),
            "" if row["label"] is None else str(row["label"]),
            "abstain" if abstained else str(row["prediction"]),
            f"{floor_to(row['p_a_estimate'], 4):.4f}",
            f"{floor_to(row['p_a_lower'], 4):.4f}",
            "" if abstained else f"{floor_to(row['radius'], 4):.4f}",
        )
    Console().print(table)


def show_report(report: dict[str, Any]) -> None:
    """Print the report in short: certified accuracy, pA quantiles, ACR with what it rests on."""
    console = Console(highlight=False, soft_wrap=True)
    images, settings = report["images"], report["settings"]
    partial = (
        ""
        if images["finished"] == images["requested"]
        else f" ({images['finished']} of {images['requested']})"
    )
    console.print(f"\nimages               {images['finished']}{partial}")
    if report["certified_accuracy"] is not None:
        top = settings.get("top_k", 1)
        name = "certified accuracy" if top == 1 else f"certified top-{top} accuracy"
        console.print(f"{name:<20} {_at_headline_radii(report['certified_accuracy'])}")
    _show_quantiles(console, report["pa_distribution"])
    console.print(f"abstained            {report['abstention_rate']:.1%}")
    rests_on = (
        f"n = {settings['n']}, alpha = {settings['alpha']:g}, sigma = {settings['sigma']:g}, "
        f"{images['finished']} images, largest radius {floor_to(report['max_radius'], 4)}"
    )
    acr = report["average_certified_radius"]
    if acr is not None:
        console.print(f"average radius (ACR) {floor_to(acr['value'], 4):.4f}   at {rests_on}")


def _at_headline_radii(curve: Sequence[dict[str, float]]) -> str:
    shown = [point for point in curve if point["radius"] in HEADLINE_RADII]
    return "   ".join(f"r={p['radius']:g}: {floor_to(p['certified_accuracy'], 4):.4f}" for p in shown)


def _show_quantiles(console: Console, distribution: dict[str, Any]) -> None:
    for name, title in (
        ("label_quantiles", "pA of the label"),
        ("tested_class_quantiles", "pA, tested class"),
    ):
        found = distribution[name]
        if found is not None:
            values = "   ".join(f"{float(q):.0%}: {floor_to(v, 4):.4f}" for q, v in found.items())
            console.print(f"{title:<20} {values}")


def warn_of_radii(plan: AnyPlan, guarantee: Guarantee) -> None:
    """Say, before anything is spent, that a default list of radii proves nothing around any image."""
    hint = plan.hint(guarantee) if plan.kind == "radii" else None
    if hint is not None:
        sys.stderr.write(f"warning: {hint}\n")
