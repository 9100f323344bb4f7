"""The built-in model, certified on the digits it has never seen."""

from __future__ import annotations

import numpy as np
import pytest

from certd.datasets import load_dataset
from certd.models import load_model
from certd.reports import certified_accuracy
from certd.smoothing import parse_request
from certd.smoothing.certifier import Certifier

pytestmark = pytest.mark.statistical


def test_held_out_digits_are_certified_at_a_quarter() -> None:
    """At least .93 of the 360 held-out digits are certified at r = .25. One seed: no false alarm."""
    classifier = load_model("digits-cnn")
    request = parse_request({"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 2000, "seed": 1})
    digits = load_dataset("digits")
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=False))
    certificates = certifier.certify(digits.images, digits.image_ids, digits.labels)
    radii = np.array([certificate.conclusion.radius for certificate in certificates])
    correct = np.array([certificate.correct is True for certificate in certificates])
    assert certified_accuracy(radii, correct, 0.25)[0] >= 0.93
