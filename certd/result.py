"""What a certification comes back as, from this process or from a service: a run that answers questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from certd.errors import InvalidParameter, NotFound
from certd.reports import average_certified_radius, certified_accuracy, results_of, summarize
from certd.reports.exporters import rows_of
from certd.reports.figures import gallery
from certd.reports.figures.forms import FIGURE_TYPES, render_figure
from certd.reports.page import page_of_run
from certd.reports.paper import RESULTS, find_table, write_table
from certd.reports.weight_sweep import DEFAULT_WEIGHTS, WeightSweep, sweep_weights
from certd.smoothing.run import Run, read_run, write_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from certd.reports import Results


class Result(Run):
    """A run with its reports at hand. Everything follows from its counts, without a forward pass."""

    __slots__ = ()

    @classmethod
    def of(cls, run: Run) -> Result:
        """Return a run as a result."""
        return cls(run.manifest, run.certificates)

    @classmethod
    def load(cls, path: str | Path) -> Result:
        """Read what :meth:`save` wrote, or ``certd certify --out``, or a service's Parquet."""
        with Path(path).open("rb") as stream:
            return cls.of(read_run(stream))

    def save(self, path: str | Path) -> None:
        """Write the run as Parquet: every count, and the manifest."""
        with Path(path).open("w+b") as stream:
            write_run(stream, self)

    @property
    def radii(self) -> list[float]:
        """Return the certified radius of each image, input units; 0 for an abstention."""
        return [certificate.conclusion.radius for certificate in self.certificates]

    @property
    def predictions(self) -> list[int | None]:
        """Return the predicted class of each image; None for an abstention."""
        return [
            None if certificate.conclusion.abstained else certificate.conclusion.top_class
            for certificate in self.certificates
        ]

    @property
    def acr(self) -> float:
        """Return the average certified radius, input units; to be printed with its sigma, n and alpha.

        Raises:
            InvalidParameter: If an image has no label.
        """
        results = self._labelled("The average certified radius")
        return average_certified_radius(results.radii, results.correct)

    def certified_accuracy(self, radii: float | Sequence[float]) -> list[float]:
        """Return the share of all images that are certified for their label at each radius, input units.

        Raises:
            InvalidParameter: If an image has no label.
        """
        results = self._labelled("Certified accuracy")
        return cast("list[float]", certified_accuracy(results.radii, results.correct, radii).tolist())

    def pa_distribution(self) -> dict[str, Any]:
        """Return quantiles and histogram of k/n, and S(x): the part of the report to look at first."""
        return cast("dict[str, Any]", self.report()["pa_distribution"])

    def report(self) -> dict[str, Any]:
        """Return the whole report, as ``GET /v1/jobs/ID/report`` does."""
        return summarize(self)

    def weights(self, weights: Sequence[float] = DEFAULT_WEIGHTS) -> WeightSweep:
        """Conclude the run of a smooth-then-mix mixture at many weights, from its counts.

        Raises:
            InvalidParameter: If the run is of no such mixture, or a weight is outside [1/2, 1].
        """
        return sweep_weights(self, weights)

    def page(self) -> str:
        """Return the report as one self-contained HTML page."""
        return page_of_run(self)

    def plot(self, path: str | Path, figure: str = "pa-histogram") -> None:
        """Write one figure; the ending of ``path`` says how: svg, png, pdf or json.

        Raises:
            NotFound: If this run has no figure of that name; the message lists those that it has.
            InvalidParameter: If the ending is another one.
        """
        form = Path(path).suffix.removeprefix(".")
        if form not in FIGURE_TYPES:
            raise InvalidParameter(f"A figure is written as {', '.join(FIGURE_TYPES)}, not as {form!r}.")
        figures = {one.name: one for one in gallery(results_of(self))}
        if figure not in figures:
            raise NotFound(f"This run has no figure {figure!r}; there are {', '.join(figures)}.")
        Path(path).write_bytes(render_figure(figures[figure], form))

    def to_latex(self, table: str = RESULTS) -> str:
        """Return a table for a paper, with booktabs and the conditions in its caption."""
        results = results_of(self)
        return write_table(find_table(results, table), "tex", (results,))

    def to_pandas(self) -> pd.DataFrame:
        """Return one row an image, with every count."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        return pd.DataFrame(rows_of(self))

    def _labelled(self, what: str) -> Results:
        results = results_of(self)
        if results.labels is None:
            raise InvalidParameter(f"{what} needs a label for every image; certify with labels.")
        return results
