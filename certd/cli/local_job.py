"""A certification in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certd.cli.display import progress_bar, warn_of_radii
from certd.cli.interruption import interruptible
from certd.cli.models import FileConventions, open_classifier
from certd.smoothing.estimate import expected_draws
from certd.smoothing.request import parse_request
from certd.statistics import floor_to

if TYPE_CHECKING:
    from pathlib import Path

    from certd.cli.images import ChosenImages
    from certd.cli.resumable import ResumableRun
    from certd.datasets import Dataset, LazyDataset
    from certd.models import BaseClassifier
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.run import Run


@dataclass(frozen=True, slots=True)
class LocalJob:
    """What the command was asked to do.

    Attributes:
        asked: The options of the certification, under the names of the service.
        images: What to certify.
        device: A torch device name.
        conventions: What is known about a file of weights.
        out: Where to keep the run.
        resume: Whether to go on with what is there.
    """

    asked: dict[str, Any]
    images: ChosenImages
    device: str
    conventions: FileConventions
    out: Path | None
    resume: bool

    def run(self) -> Run:
        """Certify every image and return the run."""
        request = parse_request(self.asked)
        # torch takes a second to import; a refused option should not wait for it.
        from certd.cli.resumable import ResumableRun, stored_execution, stored_seed
        from certd.smoothing.certifier import Certifier
        from certd.smoothing.settling import settle, settled_as

        classifier = open_classifier(request.model, self.device, self.conventions, request.sigma)
        images = self.images.open()
        _warn_of_labels(classifier, images)
        if request.seed is None and self.resume:
            request = request.model_copy(update={"seed": stored_seed(self.out)})
        certification = request.resolve(
            classifier.reference, labelled=images.labels is not None, mixing=classifier.mixing
        )
        begun = stored_execution(self.out) if self.resume else None
        if begun is None:
            certification = settle(classifier, certification, len(images), self.device)
        else:
            certification = settled_as(certification, begun)
        certifier = Certifier(classifier, certification, self.device)
        resumable = ResumableRun(certifier.manifest(images.name, images.image_ids), self.out)
        resumable.start(resume=self.resume)
        _announce(resumable.run, certifier)
        try:
            return _go_on(resumable, certifier, images)
        except KeyboardInterrupt:
            if self.out is not None:
                sys.stderr.write(
                    f"\ninterrupted; finished images are in {self.out}. Add --resume to go on.\n"
                )
            raise


def _go_on(resumable: ResumableRun, certifier: Certifier, images: Dataset | LazyDataset) -> Run:
    total = len(images) * certifier.max_draws
    with interruptible() as check, progress_bar(total, "certifying") as advance:

        def on_draws(count: int) -> None:
            advance(count)
            check()

        return resumable.go_on(certifier, images, on_draws)


def _warn_of_labels(classifier: BaseClassifier, images: Dataset | LazyDataset) -> None:
    """Say before anything is spent that labels seem to mean something else than the classifier does."""
    from certd.models.alignment import label_warning

    warning = label_warning(classifier, images)
    if warning is not None:
        sys.stderr.write(f"warning: {warning} See --label-map.\n")


def _announce(run: Run, certifier: Certifier) -> None:
    manifest, plan = run.manifest, run.manifest.certification.plan
    warn_of_radii(plan, manifest.guarantee)
    done = f" ({len(run.certificates)} done before)" if run.certificates else ""
    draws = expected_draws(manifest.certification, manifest.num_images - len(run.certificates))
    sys.stderr.write(
        f"{manifest.num_images} images{done}, sigma {manifest.certification.noise.sigma:g}, "
        f"plan {plan.kind}, seed {manifest.certification.seed}, at most {plan.max_draws:,} draws an image, "
        f"largest {manifest.norm} radius {floor_to(manifest.max_radius, 4)}, "
        f"about {_duration(draws * certifier.seconds_a_draw())}\n"
    )


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1, round(seconds))} s"
