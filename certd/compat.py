"""Cohen's class, for code that was written against it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.errors import OutOfRange, ShapeMismatch
from certd.smoothing.request import parse_request

if TYPE_CHECKING:
    from torch import Tensor, nn

    from certd.models import BaseClassifier
    from certd.models.runtime.prepared import PreparedClassifier
    from certd.smoothing.plans.plan import Conclusion
    from certd.smoothing.request import Certification

OFF_GRID = (
    "This input does not lie on the 8-bit grid, so its noise is added in floating point, whose rounding the "
    "theorem does not cover: the radius is an estimate and no certificate."
)


class Smooth:
    """A smoothed classifier g, with the signature of the reference implementation.

    Where it differs: radii are rounded down; noise is drawn by the image and call, from a seed that is kept
    in ``seed``; inputs on the 8-bit grid are certified soundly in floating point, others with a warning.

    Args:
        base_classifier: Maps ``[image, channel, height, width]`` to ``[image, num_classes]`` logits.
        num_classes: Number of classes, at least 2.
        sigma: Noise level, in input units.
        seed: Key of the noise; drawn afresh when None.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, ``core.py``.
    """

    ABSTAIN = -1

    def __init__(
        self, base_classifier: nn.Module, num_classes: int, sigma: float, seed: int | None = None
    ) -> None:
        self.base_classifier = base_classifier
        self.num_classes = num_classes
        self.sigma = sigma
        self.seed = (
            parse_request({"model": "x", "sigma": sigma, "seed": seed}).resolve("x", labelled=False).seed
        )
        self._calls = 0
        self._compared: set[tuple[int, str]] = set()

    def certify(self, x: Tensor, n0: int, n: int, alpha: float, batch_size: int) -> tuple[int, float]:
        """Return the class and a radius within which g returns it, or ``(ABSTAIN, 0.0)``.

        With probability at least ``1 - alpha`` the pair is right.

        Args:
            x: One image, ``[channel, height, width]``, pixels in [0, 1].
            n0: Draws that choose the class.
            n: Draws that bound its probability.
            alpha: Failure probability.
            batch_size: Rows of one forward pass.

        Raises:
            CannotCertify: If ``n`` is so small that every input would abstain.
            OutOfRange: If a pixel lies outside [0, 1].
        """
        found = self._conclude(x, {"plan": "fixed", "n0": n0, "n": n, "alpha": alpha}, batch_size)
        return (self.ABSTAIN, 0.0) if found.prediction is None else (found.prediction, found.radius)

    def predict(self, x: Tensor, n: int, alpha: float, batch_size: int) -> int:
        """Return the class that g returns at ``x``, or ``ABSTAIN``; wrong with probability at most ``alpha``.

        Args:
            x: One image, ``[channel, height, width]``, pixels in [0, 1].
            n: Draws.
            alpha: Failure probability.
            batch_size: Rows of one forward pass.

        Raises:
            CannotCertify: If ``n`` is so small that every input would abstain.
            OutOfRange: If a pixel lies outside [0, 1].
        """
        found = self._conclude(x, {"plan": "predict", "n": n, "alpha": alpha}, batch_size)
        return self.ABSTAIN if found.prediction is None else found.prediction

    def _conclude(self, x: Tensor, plan: dict[str, Any], batch_size: int) -> Conclusion:
        """Draw under a fresh id, so that no two calls share their noise."""
        from certd.models import BaseClassifier  # noqa: PLC0415 - torch takes a second to import
        from certd.smoothing.certifier import Certifier  # noqa: PLC0415

        pixels = x.detach().cpu().double().numpy() * 255
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 255):
            raise OutOfRange("Pixels lie in [0, 1]; normalise inside the classifier, after the noise.")
        grid = np.rint(pixels)
        shift = (pixels - grid) / 255
        on_grid = bool(np.abs(shift).max() < 1e-6)
        if not on_grid:
            warnings.warn(OFF_GRID, stacklevel=3)
        gradients = [parameter.requires_grad for parameter in self.base_classifier.parameters()]
        classifier = BaseClassifier.from_module(
            self.base_classifier if on_grid else _shifted(self.base_classifier, shift),
            "smooth",
            _input_shape(x),
            self.num_classes,
        )
        for parameter, wanted in zip(self.base_classifier.parameters(), gradients, strict=True):
            parameter.requires_grad_(wanted)
        arithmetic = "quantized" if on_grid else "float"
        asked = {"sigma": self.sigma, "arithmetic": arithmetic, "seed": self.seed, "batch_size": batch_size}
        certification = parse_request({"model": "smooth", **asked, **plan}).resolve(
            classifier.reference, labelled=False
        )
        device = str(x.device)
        prepared = self._prepared(classifier, certification, device)
        certifier = Certifier(classifier, certification, device, prepared)
        self._calls += 1
        ids = np.array([self._calls], np.uint64)
        (certificate,) = certifier.certify(grid.astype(np.uint8)[None], ids)
        return certificate.conclusion

    def _prepared(
        self, classifier: BaseClassifier, certification: Certification, device: str
    ) -> PreparedClassifier:
        """Make the classifier ready; whether its rows answer for themselves is asked at the first call."""
        from certd.models.runtime.prepare import assemble, prepare  # noqa: PLC0415

        key = (certification.rows, device)
        make = assemble if key in self._compared else prepare
        prepared = make(classifier, certification.execution, certification.rows, device)
        self._compared.add(key)
        return prepared


def _input_shape(x: Tensor) -> tuple[int, int, int]:
    if x.dim() != 3:
        raise ShapeMismatch(f"One image is [channel, height, width]; this has {x.dim()} axes.")
    channels, height, width = x.shape
    return channels, height, width


def _shifted(classifier: nn.Module, shift: np.ndarray[Any, np.dtype[np.float64]]) -> nn.Module:
    """Return the classifier of the image that lies ``shift`` from the grid."""
    import torch  # noqa: PLC0415 - takes a second to import

    class Shifted(torch.nn.Module):
        """Adds what rounding to the grid took away."""

        def __init__(self) -> None:
            super().__init__()
            self.classifier = classifier
            self.shift = torch.nn.Buffer(torch.from_numpy(shift).float())

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            """Return logits of images moved off the grid."""
            logits: torch.Tensor = self.classifier(images + self.shift)
            return logits

    return Shifted()
