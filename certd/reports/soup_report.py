"""What a sweep over soups says: a row a soup, threats and their union, and what choosing costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from certd.errors import Conflict, InvalidParameter
from certd.reports.printed import conditions, trimmed
from certd.reports.radius import average_certified_radius
from certd.reports.results import results_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from certd.reports.results import Results
    from certd.smoothing.run import Run

ThreatNorm = Literal["l1", "l2", "linf"]
SIZES, REPEATS, MOST_HELD_OUT = (10, 30, 100, 300, 500), 50, 500
TOP = 10
"""Soups that are called the best."""
WINNERS_CURSE = (
    "The best of many soups looks better on the images that chose it than it is. Certify the chosen one on "
    "other images with fresh noise, and report that."
)


@dataclass(frozen=True, slots=True)
class Threat:
    """What an image must withstand: a ball around it, under one noise level.

    Attributes:
        sigma: Noise level of the smoothed classifier.
        norm: Of the ball.
        radius: Of the ball, input units.
    """

    sigma: float
    norm: ThreatNorm
    radius: float

    @classmethod
    def parse(cls, text: str) -> Threat:
        """Read ``l2:0.5@0.25``: norm, radius, noise level.

        Raises:
            InvalidParameter: If it is no such text.
        """
        norm, _, rest = text.partition(":")
        radius, _, sigma = rest.partition("@")
        try:
            found = float(sigma), float(radius)
        except ValueError:
            found = (math.nan, math.nan)
        if norm not in {"l1", "l2", "linf"} or not (found[0] > 0 and 0 <= found[1] < math.inf):
            raise InvalidParameter(f"A threat reads l2:0.5@0.25, norm:radius@sigma; got {text!r}.")
        return cls(found[0], norm, found[1])  # type: ignore[arg-type]

    @property
    def title(self) -> str:
        """Return the text that :meth:`parse` reads."""
        return f"{self.norm}:{trimmed(self.radius)}@{self.sigma:g}"

    def within(self, dimension: int) -> float:
        """Return the l2 radius that covers the ball: an l1 ball lies in the l2 ball of its own radius."""
        return math.nextafter(self.radius * math.sqrt(dimension), math.inf) if self.norm == "linf" else (
            self.radius
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SoupRow:
    """One member of the sweep.

    Attributes:
        name: Its weights in words.
        weights: In steps; None for the ensemble.
        results: By noise level.
    """

    name: str
    weights: tuple[int, ...] | None
    results: Mapping[float, Results]


@dataclass(frozen=True, slots=True)
class SoupReport:
    """A finished sweep.

    Attributes:
        rows: One a soup, in the order of the grid, then the ensemble if it took part.
        units: Steps of one whole.
        ingredients: Their names.
        threats: Against which soups are ranked.
        dimension: Values of one image, which ties the norms together.
    """

    rows: tuple[SoupRow, ...]
    units: int
    ingredients: tuple[str, ...]
    threats: tuple[Threat, ...]
    dimension: int

    @property
    def conditions(self) -> str:
        """Say under which conditions every number was made."""
        results = self.rows[0].results
        return conditions(next(iter(results.values())), tuple(results))

    def withstood(self, row: SoupRow, threat: Threat) -> NDArray[np.bool_]:
        """Return which images are certified for their label against a threat, bool[image]."""
        results = row.results[threat.sigma]
        return np.asarray(results.correct & (results.radii >= threat.within(self.dimension)))

    def union(self, row: SoupRow) -> NDArray[np.bool_]:
        """Return which images are certified for their label against every threat, bool[image]."""
        withstood = np.array([self.withstood(row, threat) for threat in self.threats])
        return np.asarray(withstood.all(axis=0))

    def score(self, row: SoupRow) -> tuple[float, float]:
        """Return the share that withstands every threat, then the mean ACR, which breaks ties."""
        return float(self.union(row).mean()), float(np.mean([_acr(each) for each in row.results.values()]))

    def best(self, k: int = TOP) -> list[SoupRow]:
        """Return the k best soups, best first; the ensemble is none."""
        soups = [row for row in self.rows if row.weights is not None]
        return sorted(soups, key=self.score, reverse=True)[:k]

    def selection(
        self, sizes: Sequence[int] = SIZES, repeats: int = REPEATS, seed: int = 0
    ) -> list[dict[str, Any]]:
        """Return how good a soup is that k images chose, on images held out; no forward pass is made.

        Half of the images, at most 500, are held out. k of the others, drawn without replacement, choose the
        soup with the largest share of withstood threats among them; equal soups are decided by lot.
        """
        soups = [row for row in self.rows if row.weights is not None]
        values = np.array([self.union(row) for row in soups], dtype=np.float64)
        rng = np.random.default_rng(seed)
        order = rng.permutation(values.shape[1])
        held = order[: min(MOST_HELD_OUT, len(order) // 2)]
        pool = order[len(held) :]
        truth = values[:, held].mean(axis=1) if len(held) else np.zeros(len(soups))
        return [
            _efficiency(values, pool, truth, size, repeats, rng)
            for size in sizes
            if len(held) and size <= len(pool)
        ]

    def as_json(self, top: int = TOP) -> dict[str, Any]:
        """Return the numbers under keys that do not change, with the names of the ``top`` best soups."""
        return {
            "ingredients": list(self.ingredients),
            "units": self.units,
            "threats": [threat.title for threat in self.threats],
            "images": len(next(iter(self.rows[0].results.values()))),
            "soups": [self._row(row) for row in self.rows],
            "best": [row.name for row in self.best(top)],
            "selection": self.selection(),
            "warning": WINNERS_CURSE,
        }

    def _row(self, row: SoupRow) -> dict[str, Any]:
        return {
            "name": row.name,
            "weights": None if row.weights is None else list(row.weights),
            "union": float(self.union(row).mean()),
            "threats": {threat.title: float(self.withstood(row, threat).mean()) for threat in self.threats},
            "sigmas": {f"{sigma:g}": _figures(results) for sigma, results in row.results.items()},
        }


def soup_report(
    rows: Sequence[tuple[str, tuple[int, ...] | None, Mapping[float, Run]]],
    units: int,
    ingredients: Sequence[str],
    threats: Sequence[Threat] = (),
) -> SoupReport:
    """Return the report of a sweep's runs, of the same images with the same noise.

    Args:
        rows: Name, weights in steps and runs by noise level, a member each.
        units: Steps of one whole.
        ingredients: Their references.
        threats: Against which soups are ranked; by default the image itself under each noise level.

    Raises:
        Conflict: If there is no run.
        InvalidParameter: If the runs are not comparable, or a threat asks for a noise level that was not run.
    """
    _require_common(rows)
    sigmas = tuple(rows[0][2])
    chosen = tuple(threats) or tuple(Threat(sigma, "l2", 0.0) for sigma in sigmas)
    for threat in chosen:
        if threat.sigma not in sigmas:
            raise InvalidParameter(f"{threat.title}: the sweep ran sigma {', '.join(map(str, sigmas))}.")
    shape = next(iter(rows[0][2].values())).manifest.input_shape
    return SoupReport(
        rows=tuple(
            SoupRow(name, weights, {sigma: results_of(run) for sigma, run in runs.items()})
            for name, weights, runs in rows
        ),
        units=units,
        ingredients=tuple(reference.partition("@")[0] for reference in ingredients),
        threats=chosen,
        dimension=math.prod(shape),
    )


def _require_common(rows: Sequence[tuple[str, tuple[int, ...] | None, Mapping[float, Run]]]) -> None:
    """Refuse runs of other images, other noise or another norm: their differences would not be the soups'."""
    if not rows:
        raise Conflict("No soup of this sweep is finished yet; ask again when its progress says so.")
    seen = set()
    for _, _, runs in rows:
        for run in runs.values():
            certification = run.manifest.certification
            ids = tuple(certificate.record.image_id for certificate in run.certificates)
            seen.add((ids, certification.seed, certification.norm, run.manifest.selection))
    if len(seen) != 1 or next(iter(seen))[2] != "l2":
        raise InvalidParameter("Soups are compared on the same images, with the same noise, in l2 radii.")


def _efficiency(  # noqa: PLR0913, PLR0917 - what is chosen from, how often, by which lot
    values: NDArray[np.float64],
    pool: NDArray[np.int64],
    truth: NDArray[np.float64],
    size: int,
    repeats: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    chosen = []
    for _ in range(repeats):
        scores = values[:, rng.choice(pool, size, replace=False)].mean(axis=1)
        chosen.append(int(rng.choice(np.flatnonzero(scores == scores.max()))))
    found = truth[chosen]
    return {
        "images": size,
        "repeats": repeats,
        "mean": float(found.mean()),
        "spread": float(found.std(ddof=1)) if repeats > 1 else 0.0,
        "least": float(found.min()),
        "largest": float(found.max()),
        "soups_chosen": len(set(chosen)),
        "best_possible": float(truth.max()),
    }


def _acr(results: Results) -> float:
    return float(average_certified_radius(results.radii, results.correct))


def _figures(results: Results) -> dict[str, Any]:
    shares = results.label_shares
    return {
        "certified_accuracy_0": float(results.correct.mean()),
        "average_certified_radius": _acr(results),
        "abstention_rate": float((~results.certified).mean()),
        "pa_quantiles": None
        if shares is None
        else [float(each) for each in np.quantile(shares, (0.1, 0.25, 0.5, 0.75, 0.9))],
        "settings": dict(results.settings),
    }
