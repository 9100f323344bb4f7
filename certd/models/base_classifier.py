"""The base classifier f: a function from images to logits, with a name that pins it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from certd.models.mixing import Mixing
    from certd.models.mixture import StandardPart
    from certd.models.registry import Specification


@dataclass(frozen=True, slots=True, eq=False)
class BaseClassifier:
    """A frozen network and its identity.

    Attributes:
        name: Short name.
        digest: SHA-256 of what determines the function, in lower-case hexadecimal.
        module: Maps float images ``[image, channel, height, width]``, pixels in ``[0, 1]`` plus noise, to
            logits ``[image, class]``. Normalisation happens inside it, after the noise. In eval mode: no
            dropout, and no statistics of the batch where there are others. That it is a function of one image
            is checked where it is prepared to run.
        input_shape: Channel, height and width of one image.
        num_classes: Number of logits.
        specification: The registry entry it was loaded from, if there is one.
        mixing: How it is mixed of two others; None where it is no mixture.
        standard: Of smooth-then-mix: the classifier that looks at clean images, beside the one that votes.
    """

    name: str
    digest: str
    module: nn.Module
    input_shape: tuple[int, int, int]
    num_classes: int
    specification: Specification | None = None
    mixing: Mixing | None = None
    standard: StandardPart | None = None

    def __post_init__(self) -> None:
        self.module.eval().requires_grad_(requires_grad=False)

    @property
    def reference(self) -> str:
        """Return ``name@sha256:digest``, the name that certificates carry."""
        return f"{self.name}@sha256:{self.digest}"

    @classmethod
    def from_module(
        cls, module: nn.Module, name: str, input_shape: tuple[int, int, int], num_classes: int
    ) -> BaseClassifier:
        """Take ``module`` as a base classifier; it is put in eval mode and its weights are frozen.

        The digest covers the weights and the printed layers. Code is beyond it: two classes of one name that
        print alike and hold the same weights get one digest, whatever their ``forward`` does.
        """
        return cls(name, module_digest(module), module, input_shape, num_classes)


def require_no_mixture(parts: Sequence[BaseClassifier]) -> None:
    """Refuse mixtures as parts of other classifiers: what waits beside their module would be left out.

    Raises:
        InvalidParameter: If one is a mixture.
    """
    for part in parts:
        if part.mixing is not None:
            raise InvalidParameter(
                f"{part.name} is a mixture, which is no part of others; name the models it is mixed of."
            )


def module_digest(module: nn.Module) -> str:
    """Return the SHA-256 of a module's printed layers and of its state, bit for bit."""
    digest = hashlib.sha256(str(module).encode())
    for key, tensor in sorted(module.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
