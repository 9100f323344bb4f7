"""A sweep: every soup of a grid certified on the same images with the same noise, kept in one folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from certd.errors import Conflict, InvalidParameter, UnreadableInput
from certd.models.soups import NegativeVariance
from certd.smoothing.certifier import Certifier
from certd.smoothing.run import Run, read_run, write_run
from certd.smoothing.settling import settle
from certd.smoothing.soup_choice import require_no_calibration
from certd.smoothing.soup_question import SoupSweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certd.datasets import Dataset
    from certd.models import BaseClassifier
    from certd.models.soup_family import SoupFamily

QUESTION = "sweep.json"


class SweepFolder:
    """Where a sweep lies: its question, one run a soup and noise level, and estimated statistics.

    A run is written whole or not at all, so a sweep that was stopped goes on with the first soup that is not
    there, and the end is the same as if it had not been stopped.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, sweep: SoupSweep) -> None:
        """Write the question down, or make sure that the folder holds the same one.

        Raises:
            Conflict: If it holds another sweep.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        text, file = sweep.model_dump_json(indent=1) + "\n", self.path / QUESTION
        if file.exists() and file.read_text() != text:
            raise Conflict(f"{self.path} holds another sweep; choose another folder.")
        file.write_text(text)

    def question(self) -> SoupSweep:
        """Return the question.

        Raises:
            UnreadableInput: If the folder holds no sweep.
        """
        try:
            return SoupSweep.model_validate_json((self.path / QUESTION).read_bytes())
        except (OSError, ValueError) as error:
            raise UnreadableInput(f"{self.path} holds no sweep that can be read.") from error

    def read(self, member: int | str, sigma: float) -> Run | None:
        """Return one member's run, or None if it is not there yet."""
        # Earlier versions named six digits of a noise level, which several may have in common.
        for level in (repr(sigma), f"{sigma:g}"):
            try:
                with self._run(member, level).open("rb") as stream:
                    run = read_run(stream)
            except FileNotFoundError:
                continue
            if run.manifest.certification.noise.sigma == sigma:
                return run
        return None

    def write(self, member: int | str, sigma: float, run: Run) -> None:
        """Store one member's run."""
        path = self._run(member, repr(sigma))
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("wb") as stream:
            write_run(stream, run)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)

    def refuse(self, member: int | str, why: str) -> None:
        """Note that a member is no network, and why."""
        (self.path / f"{member}.refused").write_text(why + "\n")

    def refused(self, member: int | str) -> str | None:
        """Return why a member is no network; None if it is one, or nobody has looked yet."""
        file = self.path / f"{member}.refused"
        return file.read_text().strip() if file.exists() else None

    def _run(self, member: int | str, level: str) -> Path:
        name = f"{member:05d}" if isinstance(member, int) else member
        return self.path / f"{name}-{level}.parquet"


def run_sweep(
    sweep: SoupSweep,
    folder: SweepFolder,
    family: SoupFamily,
    images: Dataset,
    on_images: Callable[[int], None] | None = None,
) -> None:
    """Certify every member of a sweep that is not there yet.

    Args:
        sweep: The question; ``images`` are those that it names.
        folder: Where the runs go.
        family: The ingredients.
        images: Labelled.
        on_images: Called with the number of images just done; may raise to stop.

    Raises:
        InvalidParameter: If a soup cannot be cooked, or the images are not those of the sweep.
    """
    if images.labels is None or tuple(int(each) for each in images.image_ids) != sweep.image_ids:
        raise InvalidParameter("A sweep needs the labelled images that it names, in their order.")
    require_no_calibration(sweep, images)
    folder.begin(sweep)
    for member in sweep.members:
        missing = [sigma for sigma in sweep.sigmas if folder.read(member, sigma) is None]
        if on_images is not None:
            on_images((len(sweep.sigmas) - len(missing)) * len(images))
        if not missing or folder.refused(member):
            continue
        try:
            classifier = _member(sweep, family, member)
        except NegativeVariance as error:
            folder.refuse(member, error.message)
            if on_images is not None:
                on_images(len(missing) * len(images))
            continue
        for sigma in missing:
            folder.write(member, sigma, _certify(sweep, classifier, sigma, images))
            if on_images is not None:
                on_images(len(images))


def _member(sweep: SoupSweep, family: SoupFamily, member: int | str) -> BaseClassifier:
    if isinstance(member, str):
        return family.ensemble()
    return family.cook(sweep.name(member), sweep.grid[member], sweep.units).classifier


def _certify(sweep: SoupSweep, classifier: BaseClassifier, sigma: float, images: Dataset) -> Run:
    certification = sweep.certification(classifier.reference, sigma)
    certifier = Certifier(classifier, settle(classifier, certification, len(images)))
    made = certifier.certify(images.images, images.image_ids, images.labels)
    return Run(certifier.manifest(sweep.dataset, images.image_ids), tuple(made))
