"""Certifies a data set part by part: an interruption costs little, and the run file is always valid."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from certd.errors import Conflict, InvalidParameter
from certd.smoothing.run import Run, read_run, write_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from certd.datasets import Dataset, LazyDataset
    from certd.models.runtime.arithmetic import Execution
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.manifest import Manifest

PART_IMAGES = 64
SAVE_SECONDS = 2.0
MOST_OF_THE_TIME = 20
"""Saving waits so many times as long as it took, or a long run would do little else at its end."""


class ResumableRun:
    """A run in the making.

    Args:
        manifest: What is certified, with what.
        out: Where the run is kept; None keeps it in memory alone.
    """

    def __init__(self, manifest: Manifest, out: Path | None) -> None:
        self.run = Run(manifest, ())
        self._out = out
        self._saved_at = time.monotonic()
        self._pause = SAVE_SECONDS

    def start(self, *, resume: bool) -> None:
        """Take up what the file holds, or make sure that nothing is overwritten.

        Raises:
            Conflict: If the file exists and was not to be resumed.
            InvalidParameter: If the file holds another certification.
        """
        if self._out is None or not self._out.exists():
            return
        if not resume:
            raise Conflict(f"{self._out} exists. Add --resume to go on with it, or choose another --out.")
        with self._out.open("rb") as stream:
            found = read_run(stream)
        asked = self.run.manifest.certification
        if found.manifest.certification != asked or found.manifest.drawn_under != asked:
            raise InvalidParameter(
                f"{self._out} holds another certification (model, noise, plan, seed or batch differ); "
                "resume it with the options it was made with."
            )
        if found.manifest.selection not in {None, self.run.manifest.selection}:
            raise InvalidParameter(
                f"{self._out} holds other images (skip, start, stop, limit, indices or sample differ); "
                "resume it with the options it was made with."
            )
        self.run = Run(self.run.manifest, found.certificates)

    def go_on(
        self, certifier: Certifier, images: Dataset | LazyDataset, on_draws: Callable[[int], None]
    ) -> Run:
        """Certify the images that are missing, and return the whole run.

        What is finished is saved now and then, at the end, and on the way out of an interruption.
        """
        done = len(self.run.certificates)
        most = certifier.max_draws
        on_draws(done * most)
        try:
            for begin in range(done, len(images), PART_IMAGES):
                part = slice(begin, min(begin + PART_IMAGES, len(images)))
                labels = None if images.labels is None else images.labels[part]
                made = certifier.certify(images.images[part], images.image_ids[part], labels, on_draws)
                self.run = Run(self.run.manifest, (*self.run.certificates, *made))
                # What a plan did not need counts as done, or the bar would never be full.
                on_draws(len(made) * most - sum(certificate.record.total_draws for certificate in made))
                self._save_now_and_then()
        finally:
            self._save()
        return self.run

    def _save_now_and_then(self) -> None:
        began = time.monotonic()
        if began - self._saved_at > self._pause:
            self._save()
            self._saved_at = time.monotonic()
            self._pause = max(SAVE_SECONDS, MOST_OF_THE_TIME * (self._saved_at - began))

    def _save(self) -> None:
        """Replace the file whole, so that it is valid at every moment."""
        if self._out is None:
            return
        draft = self._out.with_name(f".{self._out.name}.{os.getpid()}")
        with draft.open("wb") as stream:
            write_run(stream, self.run)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._out)


def stored_seed(out: Path | None) -> int | None:
    """Return the seed of the run in ``out``, if there is one."""
    if out is None or not out.exists():
        return None
    with out.open("rb") as stream:
        return read_run(stream).manifest.certification.seed


def stored_execution(out: Path | None) -> Execution | None:
    """Return how the run in ``out`` is executed, if there is one."""
    if out is None or not out.exists():
        return None
    with out.open("rb") as stream:
        return read_run(stream).manifest.execution
