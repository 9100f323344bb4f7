"""What is proved of an image and what was found near it, and the file that keeps both: one line an image."""

from __future__ import annotations

import base64
import json
import math
import zlib
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.errors import Conflict, InvalidParameter, UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.smoothing.manifest import Manifest
    from certd.smoothing.plans.plan import Conclusion

FORMAT = "certd-attacks-1"


@dataclass(frozen=True, slots=True)
class Search:
    """How the neighbourhood of an image is searched, and how what is found is tested.

    Attributes:
        eps: Longest perturbation, in the norm of the run, input units, positive.
        steps: Steps of PGD a round, at least 1.
        restarts: Random starts of PGD a round, at least 1.
        copies: Noisy copies whose mean softmax a step follows, at least 1.
        rounds: Rounds, each nearer than what the last one found, at least 1.
        votes: Noisy copies whose majority guides the search, at least 1.
        n: Draws of each test.
        alpha: Probability that a bound found for an image is false, in (0, 1).
        seed: Of search and tests; other than the run's.
    """

    eps: float
    steps: int = 20
    restarts: int = 1
    copies: int = 32
    rounds: int = 4
    votes: int = 500
    n: int = 10_000
    alpha: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.eps < math.inf and 0 < self.alpha < 1):
            raise InvalidParameter("An attack needs a positive eps, and an alpha in (0, 1).")
        if min(self.steps, self.restarts, self.copies, self.rounds, self.votes, self.n) < 1:
            raise InvalidParameter("Steps, restarts, copies, rounds, votes and n are at least 1.")
        if not 0 <= self.seed < 2**53:
            raise InvalidParameter("The seed of an attack is a whole number below 2**53.")


@dataclass(frozen=True, slots=True)
class Bracket:
    """Between what a radius lies: proved from below, refuted from above.

    Attributes:
        image_id: Of the image.
        label: Its true class; None where it has none.
        predicted: The class it is certified for.
        certified: Certified radius, input units; false with probability at most the run's alpha.
        attacked: Length of the perturbation found, in the norm of the run, input units; None where none was
            found. That the smoothed classifier answers otherwise there is false with probability at most the
            search's alpha.
        found_class: What it answers there.
        top_count: Draws that voted so in the test.
        draws: Draws of the test.
        tests: How many images near this one were tested.
        perturbed: The image found, its uint8 pixels compressed by zlib, in base64.
    """

    image_id: int
    label: int | None
    predicted: int
    certified: float
    attacked: float | None = None
    found_class: int | None = None
    top_count: int | None = None
    draws: int | None = None
    tests: int | None = None
    perturbed: str | None = None

    def refuted(self, length: float, answer: Conclusion, image: NDArray[np.uint8], tests: int) -> Bracket:
        """Return the bracket with an image at which the smoothed classifier was found to answer otherwise."""
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(image).tobytes())).decode()
        return replace(
            self, attacked=length, found_class=answer.prediction, top_count=answer.top_count,
            draws=answer.draws, tests=tests, perturbed=packed,
        )  # fmt: skip

    @property
    def contradiction(self) -> bool:
        """Return whether what was found lies within what was proved: one of the two is false."""
        return self.attacked is not None and self.attacked <= self.certified

    def pixels(self, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
        """Return the image found, uint8 of ``shape``; None where none was."""
        if self.perturbed is None:
            return None
        whole = zlib.decompressobj().decompress(base64.b64decode(self.perturbed), math.prod(shape))
        return np.frombuffer(whole, np.uint8).reshape(shape)


class BracketFile:
    """Brackets on disk: the first line says how they were made, each further one is an image.

    A line is written whole when its image is finished, and one that was cut short is dropped, so an attack
    that was stopped goes on where it was.

    Args:
        path: Of the file.
        header: What must be the same to go on: the run, the search, versions.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path, self._header = path, {"format": FORMAT, **header}

    def start(self, *, resume: bool) -> list[Bracket]:
        """Begin the file, or go on with it.

        Returns:
            The brackets that are finished.

        Raises:
            Conflict: If there is a file and it is not to be gone on with, or it was made otherwise.
        """
        if not self._path.exists():
            self._path.write_text(json.dumps(self._header) + "\n")
            return []
        if not resume:
            raise Conflict(f"{self._path} exists; add --resume to go on with it, or name another file.")
        header, brackets = read_brackets(self._path)
        if header != json.loads(json.dumps(self._header)):
            raise Conflict(f"{self._path} was made of another run or search; name another file.")
        self._rewrite(brackets)
        return brackets

    def add(self, bracket: Bracket) -> None:
        """Append one finished image."""
        with self._path.open("a") as stream:
            stream.write(json.dumps(asdict(bracket)) + "\n")

    def _rewrite(self, brackets: Iterable[Bracket]) -> None:
        """Write what is whole anew, without a line that was cut short."""
        lines = [json.dumps(self._header), *(json.dumps(asdict(each)) for each in brackets)]
        whole = self._path.with_name(f"{self._path.name}.new")
        whole.write_text("\n".join(lines) + "\n")
        whole.replace(self._path)


def attacked_run(manifest: Manifest) -> dict[str, Any]:
    """Return what the brackets of a run say of it; brackets with other words are of another run."""
    certification = manifest.certification
    return {
        "model": certification.model,
        "dataset": manifest.dataset,
        "selection": manifest.selection,
        "sigma": certification.noise.sigma,
        "norm": manifest.norm,
        "alpha": manifest.settings["alpha"],
        "seed": certification.seed,
        "settings": manifest.settings,
        "execution": manifest.execution.model_dump(mode="json"),
    }


def brackets_of(path: Path, manifest: Manifest) -> tuple[dict[str, Any], list[Bracket]]:
    """Return what :func:`read_brackets` returns, of brackets of this very run.

    Raises:
        UnreadableInput: If it is no such file.
        Conflict: If it is of another run.
    """
    header, brackets = read_brackets(path)
    if header.get("run") != json.loads(json.dumps(attacked_run(manifest))):
        raise Conflict(f"{path} was made by an attack on another run.")
    return header, brackets


def read_brackets(path: Path) -> tuple[dict[str, Any], list[Bracket]]:
    """Return how the brackets of a file were made, and the brackets.

    Raises:
        UnreadableInput: If it is no such file.
    """
    first, *lines = path.read_text(errors="replace").split("\n")
    try:
        header = json.loads(first)
        # What follows the last line break was cut short; it is empty where nothing was.
        brackets = [Bracket(**json.loads(line)) for line in lines[:-1]]
    except (ValueError, TypeError):
        header, brackets = {}, []
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UnreadableInput(f"{path} is no file that `certd attack` wrote.")
    return header, brackets
