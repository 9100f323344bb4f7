"""What lists ask of jobs that ended, remembered: an ended job's answers never change."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from api.schemas import JobView

REMEMBERED = 100_000
Conditions = tuple[str, tuple[str, ...], str | None, tuple[str, ...], "datetime"]


class EndedJobs:
    """Tells which ended jobs a list leaves out, without reading them again."""

    def __init__(self) -> None:
        self._known: dict[str, Conditions] = {}

    def remember(self, view: JobView) -> None:
        """Keep what conditions look at, once a job has ended."""
        if view.status.terminal:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[view.id] = _conditions(view)

    def rules_out(self, job_id: str, wanted: Mapping[str, Any]) -> bool:
        """Return whether a job is known not to be wanted."""
        known = self._known.get(job_id)
        return known is not None and not _meets(known, wanted)


def is_wanted(view: JobView, wanted: Mapping[str, Any]) -> bool:
    """Return whether a job meets conditions by name: status, model, dataset, tag, created_after."""
    return _meets(_conditions(view), wanted)


def _conditions(view: JobView) -> Conditions:
    # A sweep is found by each of its ingredients.
    models = (view.certification["model"], *(view.sweep.ingredients if view.sweep else ()))
    return (view.status, models, view.dataset, tuple(view.tags), view.created_at)


def _meets(known: Conditions, wanted: Mapping[str, Any]) -> bool:
    status, models, dataset, tags, created_at = known
    after = wanted.get("created_after")
    return (
        wanted.get("status", status) == status
        and ("model" not in wanted or wanted["model"] in _names(models))
        and wanted.get("dataset", dataset) == dataset
        and ("tag" not in wanted or wanted["tag"] in tags)
        and (after is None or created_at > _aware(after))
    )


def _names(models: tuple[str, ...]) -> set[str]:
    """Return models by their names, and by their names with digests."""
    return {name for model in models for name in (model, model.partition("@")[0])}


def _aware(instant: datetime) -> datetime:
    """Return an instant with its zone; one that names none is taken for UTC."""
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
