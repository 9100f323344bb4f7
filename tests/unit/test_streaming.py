"""Large sets stay where they are: images are read as they are certified, a part at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.cli.resumable import PART_IMAGES, ResumableRun
from certd.datasets.lazy import numbered
from certd.local import certify
from certd.models import load_model
from certd.smoothing import parse_request
from certd.smoothing.certifier import Certifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

FIFTY_THOUSAND = 50_000


class Counted:
    """Fifty thousand images that exist only when they are asked for, and notes of how many were at once."""

    shape = (FIFTY_THOUSAND, 1, 8, 8)

    def __init__(self) -> None:
        self.most_at_once = 0
        self.read = 0

    def __getitem__(self, positions: slice | NDArray[np.intp]) -> NDArray[np.uint8]:
        chosen = np.arange(FIFTY_THOUSAND)[positions]
        self.most_at_once = max(self.most_at_once, len(chosen))
        self.read += len(chosen)
        return np.broadcast_to((chosen % 256).astype(np.uint8)[:, None, None, None], (len(chosen), 1, 8, 8))

    def identity(self, position: int) -> str:
        """Return which image it is."""
        return str(position)


def test_a_set_is_read_in_parts_and_each_image_once() -> None:
    """On the command line and from Python; opening, selecting and counting read nothing."""
    classifier = load_model("digits-cnn")
    for through in ("command line", "python"):
        source = Counted()
        images = numbered("large", source, None).select(skip=50)
        assert source.read == 0
        if through == "python":
            certify(classifier, images, sigma=0.25, plan="fixed", n=20, n0=4, seed=1)
        else:
            asked = parse_request({"model": "x", "sigma": 0.25, "plan": "fixed", "n": 20, "n0": 4, "seed": 1})
            certifier = Certifier(classifier, asked.resolve(classifier.reference, labelled=False))
            run = ResumableRun(certifier.manifest("large", images.image_ids), None)
            assert len(run.go_on(certifier, images, lambda _: None).certificates) == 1000
            assert source.most_at_once == PART_IMAGES
        assert source.read == 1000
        assert source.most_at_once <= 256
