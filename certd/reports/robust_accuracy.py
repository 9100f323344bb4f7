"""What AutoAttack left standing of a base classifier, also as an entry of RobustBench's model_info."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from certd.attacks.stages import CLEAN
from certd.errors import InvalidParameter
from certd.reports.claims import ClaimedModel, Threat
from certd.reports.claims.claim import parse_eps
from certd.reports.figures.figure import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from certd.attacks.stages import Stage

UNFINISHED = "Not every attack has been at every image: an accuracy over these may still fall. Add --resume."
SHORTENED = "The attacks were shortened: this is no AutoAttack, and is compared with no claim."
NORMS = {"linf": "Linf", "l2": "L2"}


@dataclass(frozen=True, slots=True, eq=False)
class RobustAccuracy:
    """An evaluation, finished or not.

    Attributes:
        made: How, as the file's header says.
        stages: What is finished.
    """

    made: Mapping[str, Any]
    stages: Sequence[Stage]

    @property
    def order(self) -> tuple[str, ...]:
        """Return the attacks in their order, ``clean`` first."""
        return (CLEAN, *self.made["attacks"])

    @property
    def images(self) -> int:
        """Return how many images are evaluated."""
        return int(self.made["images"])

    @property
    def complete(self) -> bool:
        """Return whether every attack has been at every part."""
        parts = -(-self.images // self.made["settings"]["batch_size"])
        return bool(len(self.stages) == parts * len(self.order))

    @property
    def shortened(self) -> bool:
        """Return whether the attacks ended before the preset's would."""
        settings = self.made["settings"]
        return any(settings[name] is not None for name in ("iterations", "queries"))

    @property
    def warnings(self) -> list[str]:
        """Return what should be read before the numbers, the package's own warnings last."""
        heard = dict.fromkeys(text for stage in self.stages for text in stage.warnings)
        own = [text for text, due in ((UNFINISHED, not self.complete), (SHORTENED, self.shortened)) if due]
        return [*own, *heard]

    def standing(self) -> list[tuple[str, int]]:
        """Return how many images still get their label after each attack, in the order of attacks."""
        left, found = self.images, []
        for attack in self.order:
            left -= sum(len(stage.fallen) for stage in self.stages if stage.attack == attack)
            found.append((attack, left))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under stable names."""
        standing = self.standing()
        return {
            "images": self.images,
            "complete": self.complete,
            "clean_accuracy": standing[0][1] / self.images,
            "robust_accuracy": standing[-1][1] / self.images,
            "standing": [
                {"attack": attack, "images": left, "accuracy": left / self.images}
                for attack, left in standing
            ],
            "fallen": [
                {"image_id": image, "attack": stage.attack} for stage in self.stages for image in stage.fallen
            ],
            "made": dict(self.made),
            "warnings": self.warnings,
        }


def standing_table(report: RobustAccuracy) -> Table:
    """Return one row an attack: how many images it was the first to bring down, and what is left."""
    rows, before = [], report.images
    for attack, left in report.standing():
        rows.append((attack, f"{before - left:,}", f"{left:,}", f"{_percentage(left, report.images)} %"))
        before = left
    return Table(("attack", "fell to it", "standing", "accuracy"), tuple(rows))


def as_model_info(report: RobustAccuracy) -> ClaimedModel:
    """Return an evaluation in the terms of a claim, to be held against one.

    Raises:
        InvalidParameter: If it is not finished, or no preset as it is published.
    """
    if not report.complete:
        raise InvalidParameter(UNFINISHED)
    if report.shortened:
        raise InvalidParameter(SHORTENED)
    standing, settings = report.standing(), report.made["settings"]
    return ClaimedModel(
        architecture=report.made["model"],
        dataset=report.made["dataset"],
        threat=Threat(NORMS[settings["norm"]], _eps(settings["eps"])),
        clean_accuracy=_percentage(standing[0][1], report.images),
        robust_accuracy=_percentage(standing[-1][1], report.images),
        evaluation="AutoAttack",
        others=(
            ("autoattack_version", settings["preset"]),
            ("autoattack_package", report.made["package"]),
            ("images", str(report.images)),
        ),
    )


def _eps(eps: float) -> Fraction | None:
    return parse_eps(f"{eps:.12f}")


def _percentage(count: int, images: int) -> Decimal:
    """Return a percentage with the two digits that leaderboards print, rounded as they round."""
    return (Decimal(100 * count) / Decimal(images)).quantize(Decimal("0.01"))
