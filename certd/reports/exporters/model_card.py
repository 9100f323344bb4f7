"""The block of a model card that says what was certified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from certd.errors import InvalidParameter
from certd.reports.accuracy import certified_counts
from certd.reports.headline import average_with_defects
from certd.reports.methods import methods_sentence
from certd.reports.printed import conditions, floored, trimmed
from certd.reports.summary import grid_of
from certd.reports.tables import to_markdown
from certd.statistics import floor_to

if TYPE_CHECKING:
    from certd.reports.results import Results

DECIMALS = 4


def export_model_card(results: Results) -> str:
    """Write the front matter that hubs read, and the same for people below it.

    Args:
        results: Labelled results.

    Raises:
        InvalidParameter: If there are no labels, and so no accuracy.
    """
    if results.labels is None:
        raise InvalidParameter("An accuracy needs a label for every image; export these results as CSV.")
    name = results.model.split("@")[0]
    what = "certified accuracy" if results.top_k == 1 else f"certified top-{results.top_k} accuracy"
    grid = grid_of(results)
    shares = certified_counts(results.radii, results.correct, grid) / len(results)
    metrics = [
        {
            "type": what.replace(" ", "_").replace("-", "_"),
            "name": f"{what} at {results.settings['norm']} radius {trimmed(radius)}",
            "value": floor_to(float(share), DECIMALS),
        }
        for radius, share in zip(grid, shares, strict=True)
    ]
    dataset = {"type": results.dataset or "uploaded", "name": results.dataset or "uploaded images"}
    task = {"type": "image-classification", "name": "Certified robustness by randomized smoothing"}
    front = {
        "model-index": [{"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}]
    }
    accuracy = "".join(
        f"| {trimmed(radius)} | {floored(share)} |\n"
        for radius, share in zip(grid, shares.tolist(), strict=True)
    )
    return (
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n## Certified robustness\n\n"
        f"{methods_sentence(results)}\n\n| radius | {what} |\n|---:|---:|\n{accuracy}\n"
        f"{to_markdown(average_with_defects(results))}\nAll figures: {conditions(results)}.\n"
    )
