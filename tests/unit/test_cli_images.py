"""Which images a command is about: selections, samples, label maps; and what is no such thing."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.cli.images import ChosenImages
from certd.datasets import open_dataset
from certd.datasets.label_alignment import misaligned_labels
from certd.errors import InvalidParameter, NotFound
from certd.local import certify
from certd.models import load_model
from certd.models.alignment import label_warning

if TYPE_CHECKING:
    from pathlib import Path


def test_indices_come_from_a_list_or_a_file(tmp_path: Path) -> None:
    """In the order given."""
    file = tmp_path / "indices.txt"
    file.write_text("7\n3\n")
    for text in ("7,3", f"@{file}"):
        assert ChosenImages("digits", indices=text).open().image_ids.tolist() == [7, 3]
    with pytest.raises(InvalidParameter, match="whole numbers"):
        ChosenImages("digits", indices="a").open()
    with pytest.raises(NotFound, match="no file"):
        ChosenImages("digits", indices=f"@{tmp_path / 'missing'}").open()
    with pytest.raises(InvalidParameter, match="either indices"):
        ChosenImages("digits", indices="1", sample=1).open()


def test_a_sample_is_the_same_everywhere_and_keeps_its_order() -> None:
    """It is drawn from the selection, by its seed alone; golden, since a run names its images by it."""
    first = ChosenImages("digits", skip=2, sample=6, sample_seed=3).open().image_ids
    assert first.tolist() == ChosenImages("digits", skip=2, sample=6, sample_seed=3).open().image_ids.tolist()
    assert (np.diff(first.astype(np.int64)) > 0).all()
    assert (first % 2 == 0).all()
    assert ChosenImages("digits", sample=6, sample_seed=4).open().image_ids.tolist() != first.tolist()
    assert ChosenImages("digits", sample=4).open().image_ids.tolist() == GOLDEN_SAMPLE
    with pytest.raises(InvalidParameter, match="sample must lie"):
        ChosenImages("digits", sample=361).open()


GOLDEN_SAMPLE = [11, 150, 196, 269]


def test_an_image_draws_the_same_noise_whichever_way_it_is_chosen() -> None:
    """Its id keys the noise, and its id is its place in the whole set."""
    digits = open_dataset("digits")
    counts = []
    for selection in ({"indices": [7]}, {"start": 5, "stop": 10}, {"skip": 7, "limit": 3}):
        run = certify(
            "digits-cnn", digits.select(**selection), sigma=0.5, plan="fixed", n=400, seed=1, batch_size=64
        )
        counts += [c.row()["estimation_counts"] for c in run.certificates if c.record.image_id == 7]
    assert len(counts) == 3
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize("text", ['{"0": 1, "1": 0}', "[1, 0]"])
def test_a_label_map_renumbers_the_labels(tmp_path: Path, text: str) -> None:
    """An object or a list; every label that occurs needs a class."""
    file = tmp_path / "map.json"
    file.write_text(text)
    chosen = ChosenImages("digits", indices="0,16", label_map=file)
    before = ChosenImages("digits", indices="0,16").open().labels
    after = chosen.open().labels
    assert before is not None
    assert after is not None
    assert after.tolist() == [1 - label for label in before.tolist()]
    with pytest.raises(InvalidParameter, match="no class for label"):
        ChosenImages("digits", label_map=file).open()


@pytest.mark.parametrize("text", ["{", '"x"', '{"0": "cat"}', '{"a": 1}', '{"0": true}', '{"0": -1, "1": 2}'])
def test_what_is_no_label_map_is_refused(tmp_path: Path, text: str) -> None:
    """The message shows what one looks like, or which class is wrong."""
    file = tmp_path / "map.json"
    file.write_text(text)
    with pytest.raises(InvalidParameter, match=r"map"):
        ChosenImages("digits", indices="0,16", label_map=file).open()


@pytest.mark.parametrize("num_classes", [6_000, 1 << 40])
def test_odd_labels_cost_no_more_than_their_images(num_classes: int) -> None:
    """A server looks at them for every page; many classes are asked for a shift alone."""
    labels = np.random.default_rng(0).permutation(6_000)
    tracemalloc.start()
    try:
        assert misaligned_labels(labels[::-1].copy(), labels, num_classes) is None
        shifted = misaligned_labels((labels + 1) % num_classes, labels, num_classes)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert shifted is not None
    assert "label +1" in shifted


def test_a_permutation_is_found_among_few_of_many_classes() -> None:
    """What counts is how many classes occur."""
    labels = np.random.default_rng(0).integers(0, 8, 200) * 1_000_000
    found = misaligned_labels((labels * 3 + 1_000_000) % 8_000_000, labels, 8_000_001)
    assert found is not None
    assert "label 0 is class 1000000, 1000000 is class 4000000" in found


def test_shifted_labels_are_noticed_before_and_after(tmp_path: Path) -> None:
    """Labels that count from one are told as such, from clean predictions and from the counts of a run."""
    from certd.reports import summarize  # noqa: PLC0415 - beside its use

    file = tmp_path / "map.json"
    file.write_text(str([(label + 1) % 10 for label in range(10)]))
    shifted = ChosenImages("digits", limit=60, label_map=file).open()
    warning = label_warning(load_model("digits-cnn"), shifted)
    assert warning is not None
    assert "shifted" in warning
    assert label_warning(load_model("digits-cnn"), ChosenImages("digits", limit=60).open()) is None
    run = certify("digits-cnn", shifted.select(limit=40), sigma=0.25, plan="fixed", n=100, seed=1)
    assert "shifted" in summarize(run)["warnings"][0]
