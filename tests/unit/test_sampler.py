"""The sampler: counts are a function of classifier, image, seed and draw, and of nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from certd.errors import ModelError, NonFiniteLogits
from certd.models import BaseClassifier, load_model
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare
from certd.noise import quantized_gaussian
from certd.noise.source import QuantizedNoiseSource
from certd.smoothing import Draws, Phase
from certd.smoothing.sampler import DrawRequest, ImageSet, Sampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from certd.smoothing.votes import VoteKind

IMAGES = np.random.default_rng(5).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)
REQUESTS = [
    DrawRequest(0, Draws(Phase.ESTIMATION, 0, 300)),
    DrawRequest(2, Draws(Phase.SELECTION, 0, 50)),
    DrawRequest(3, Draws(Phase.ESTIMATION, 120, 177)),
]


def _count(
    classifier: BaseClassifier,
    batch_size: int,
    requests: list[DrawRequest] = REQUESTS,
    seed: int = 11,
    vote_kind: VoteKind = "hard",
) -> NDArray[np.int64]:
    source = QuantizedNoiseSource(quantized_gaussian(0.25), seed)
    images = ImageSet(IMAGES, np.arange(4, dtype=np.uint64))
    prepared = prepare(classifier, ExecutionArithmetic(), batch_size)
    sampler = Sampler(
        prepared, source, name=classifier.name, num_classes=classifier.num_classes, vote_kind=vote_kind
    )
    votes = sampler.count(images, requests)
    return np.stack([vote.counts for vote in votes])


@pytest.fixture(scope="module")
def digits_cnn() -> BaseClassifier:
    """Return the built-in model."""
    return load_model("digits-cnn")


def test_every_requested_draw_votes_once(digits_cnn: BaseClassifier) -> None:
    """Row sums are the numbers of draws asked for; the padding of the last batch has no vote."""
    assert _count(digits_cnn, 64).sum(axis=1).tolist() == [300, 50, 57]


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_counts_do_not_depend_on_the_batch(digits_cnn: BaseClassifier, batch_size: int) -> None:
    """Any batch size counts the same votes."""
    assert (_count(digits_cnn, batch_size) == _count(digits_cnn, 64)).all()


@pytest.mark.parametrize("vote_kind", ["hard", "thinned"])
@pytest.mark.parametrize("batches", [1, 2, 3])
def test_counts_do_not_depend_on_how_many_batches_are_counted_together(
    digits_cnn: BaseClassifier, batches: int, vote_kind: VoteKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch at a time, two, or three with a last window that is not full: the same votes."""
    expected = _count(digits_cnn, 32, vote_kind=vote_kind)
    monkeypatch.setattr("certd.smoothing.sampler.WINDOW_LOGITS", batches * 32 * digits_cnn.num_classes)
    assert (_count(digits_cnn, 32, vote_kind=vote_kind) == expected).all()


def test_counts_of_a_split_range_add_up(digits_cnn: BaseClassifier) -> None:
    """Draws 0:300 are draws 0:123 and draws 123:300."""
    parts = [DrawRequest(0, Draws(Phase.ESTIMATION, *ends)) for ends in ((0, 123), (123, 300))]
    assert (_count(digits_cnn, 64, parts).sum(axis=0) == _count(digits_cnn, 64)[0]).all()


def test_another_seed_draws_other_noise(digits_cnn: BaseClassifier) -> None:
    """The seed matters: the test of equality above could fail."""
    assert (_count(digits_cnn, 64, seed=12) != _count(digits_cnn, 64)).any()


def test_votes_are_those_of_a_plain_loop(half_space: Callable[..., BaseClassifier]) -> None:
    """One draw at a time, noise added by hand, gives the same votes."""
    classifier = half_space(120.5, (1, 8, 8))
    source = QuantizedNoiseSource(quantized_gaussian(0.25), 11)
    image_set = ImageSet(IMAGES, np.arange(4, dtype=np.uint64))
    expected = np.zeros(2, dtype=np.int64)
    noisy = torch.empty((1, 64))
    for draw in range(300):
        index = torch.tensor([Phase.ESTIMATION.index(draw)], dtype=torch.uint32)
        source.perturb(image_set.pixels, image_set.image_ids, torch.tensor([0]), index, noisy)
        expected[int(noisy[0, 0] > 120.5)] += 1
    assert (_count(classifier, 64)[0] == expected).all()


class _Broken(nn.Module):
    """Returns what ``answer`` makes of the images."""

    def __init__(self, answer: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._answer(images)


def _broken(answer: Callable[[torch.Tensor], torch.Tensor]) -> BaseClassifier:
    return BaseClassifier.from_module(_Broken(answer), "broken", (1, 8, 8), 3)


def test_non_finite_logits_stop_the_work_with_the_evidence() -> None:
    """NaN on some draws names the image and how many draws were affected."""

    def nan_where_bright(images: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(images), 3)
        logits[images.flatten(1)[:, 0] > 1.0, 1] = torch.nan
        return logits

    with pytest.raises(NonFiniteLogits) as stop:
        _count(_broken(nan_where_bright), 64)
    affected = stop.value.details["num_draws"]
    assert 0 < affected < 300
    assert f"on {affected} of" in stop.value.message


def test_logits_of_another_shape_stop_the_work() -> None:
    """A model with another number of classes than registered is refused."""
    with pytest.raises(ModelError, match=r"expected \(64, 3\)"):
        _count(_broken(lambda images: torch.zeros(len(images), 4)), 64)


def test_a_model_that_fails_on_its_input_is_named() -> None:
    """An error from inside the network says which model it was."""
    with pytest.raises(ModelError, match="broken failed on its input"):
        _count(_broken(lambda images: images @ torch.zeros(3, 3)), 64)
