"""Cohen's class: his signature, our arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from certd.compat import Smooth
from certd.datasets import open_dataset
from certd.errors import CannotCertify, OutOfRange
from certd.local import certify
from certd.models import load_model

pytestmark = pytest.mark.slow


class Threshold(nn.Module):
    """Class 1 where the sum of the pixels exceeds a bound."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits of two classes."""
        score = images.flatten(1).sum(1) - 8.0
        return torch.stack([-score, score], 1)


def _digit() -> torch.Tensor:
    return torch.from_numpy(open_dataset("digits").images[10:11][0]).float() / 255


def test_an_image_on_the_grid_gets_the_certificate_of_the_library() -> None:
    """One seed, one image id, one plan: one radius, to the last bit."""
    classifier = load_model("digits-cnn")
    smooth = Smooth(classifier.module, 10, 0.25, seed=3)
    found = smooth.certify(_digit(), 100, 1000, 0.001, 256)
    digits = open_dataset("digits").select(indices=[10])
    assert found[0] == 2
    assert 0.4 < found[1] < 0.6
    assert smooth.certify(_digit(), 100, 1000, 0.001, 256) != found, "no two calls share their noise"
    again = Smooth(classifier.module, 10, 0.25, seed=3).certify(_digit(), 100, 1000, 0.001, 256)
    assert again == found
    run = certify(classifier, digits, sigma=0.25, plan="fixed", n=1000, seed=3)
    assert run.certificates[0].conclusion.prediction == found[0]


def test_answers_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call asks of its network beyond its draws, two batches, is asked at the first."""
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    network = Threshold()
    network.register_forward_hook(count)
    smooth = Smooth(network, 2, 0.25, seed=3)
    smooth.predict(_digit(), 100, 0.001, 100)
    first, passes = passes, 0
    smooth.predict(_digit(), 100, 0.001, 100)
    assert first == passes + 2


def test_prediction_and_abstention_speak_cohen_s_language() -> None:
    """ABSTAIN is -1, with radius 0; a clear image is predicted."""
    smooth = Smooth(Threshold(), 2, 0.5, seed=1)
    tie = torch.full((1, 4, 4), 127 / 255)
    clear = torch.full((1, 4, 4), 1.0)
    assert smooth.predict(clear, 1000, 0.001, 100) == 1
    assert smooth.certify(clear, 100, 1000, 0.001, 100)[0] == 1
    assert smooth.certify(tie, 100, 1000, 0.001, 100) == (Smooth.ABSTAIN, 0.0)
    assert Smooth.ABSTAIN == -1


def test_an_image_off_the_grid_is_certified_with_a_warning() -> None:
    """Float noise proves nothing in floating point; who asks for it is told."""
    smooth = Smooth(load_model("digits-cnn").module, 10, 0.25, seed=3)
    with pytest.warns(UserWarning, match="no certificate"):
        found = smooth.certify((_digit() + 0.0007).clamp(0, 1), 100, 1000, 0.001, 256)
    assert found[0] == 2


def test_what_cannot_be_certified_is_refused() -> None:
    """Pixels outside [0, 1] were normalised before the noise; ten draws certify nothing."""
    smooth = Smooth(Threshold(), 2, 0.5)
    with pytest.raises(OutOfRange, match="normalise inside"):
        smooth.certify(torch.full((1, 4, 4), -0.5), 10, 100, 0.001, 10)
    with pytest.raises(CannotCertify):
        smooth.certify(torch.ones(1, 4, 4), 10, 5, 0.001, 10)


def test_the_user_s_network_keeps_its_gradients() -> None:
    """It is certified as it stands, and can be trained on afterwards."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    Smooth(network, 2, 0.5).predict(torch.ones(1, 4, 4), 100, 0.001, 10)
    assert all(parameter.requires_grad for parameter in network.parameters())
