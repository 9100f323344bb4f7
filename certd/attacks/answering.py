"""What a base classifier answers to images as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.models import BaseClassifier


def softmax_of(
    classifier: BaseClassifier, images: NDArray[np.float32], batch_size: int = 128
) -> NDArray[np.float64]:
    """Return the softmax of every image, taken in float64 from the float32 logits.

    Args:
        classifier: Run in float32 as it stands.
        images: Pixels in [0, 1], float32[image, channel, height, width].
        batch_size: Images of one forward pass.

    Returns:
        float64[image, class].
    """
    device = next(classifier.module.parameters(), torch.empty(0)).device
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(images[start : start + batch_size]).to(device)
            found.append(classifier.module(batch).double().softmax(1).cpu().numpy())
    return np.concatenate(found)
