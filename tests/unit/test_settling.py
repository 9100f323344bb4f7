"""Settling: what a job leaves open about its execution is decided once, before the first draw."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
from torch import nn

import certd
from certd.errors import InvalidParameter, ModelError, OutOfMemory
from certd.jobs.inputs import Inputs
from certd.jobs.job import Job, JobInputs, new_job_id, utc_now
from certd.jobs.shards import cut
from certd.jobs.storage import JobStorage
from certd.models import BaseClassifier
from certd.models.runtime.compilation import can_compile
from certd.smoothing import Certification, parse_request
from certd.smoothing.certifier import Certifier
from certd.smoothing.settling import CPU_CANDIDATES, as_asked, settle, settled_as
from certd.storage import FolderStore
from workers.models import ModelCache
from workers.shards import ShardWork

if TYPE_CHECKING:
    from pathlib import Path

    from certd.datasets.cache import DatasetCache
    from certd.jobs.progress import ProgressBoard

BEYOND_ANY_MEMORY = 2**47
IMAGE = np.full((1, 1, 2, 2), 200, dtype=np.uint8)


class RoomFor(nn.Module):
    """Half-spaces that ask for more memory than there is when a batch has more than ``rows`` rows."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits whose difference is the distance to the middle."""
        if len(images) > self.rows:
            torch.empty(BEYOND_ANY_MEMORY)
        distance = images.flatten(1)[:, 0] - 0.5
        return torch.stack([-distance, distance], dim=1)


def _classifier(rows: int = 1 << 20) -> BaseClassifier:
    return BaseClassifier.from_module(RoomFor(rows), "room", (1, 2, 2), 2)


def _asked(classifier: BaseClassifier, **options: object) -> Certification:
    request = parse_request({"model": "room", "sigma": 0.25, "n": 100, "seed": 1, **options})
    return request.resolve(classifier.reference, labelled=True)


def test_auto_finds_a_batch_size_and_keeps_all_else() -> None:
    """One of the candidates is chosen; model, noise, plan and seed stay."""
    classifier = _classifier()
    asked = _asked(classifier, batch_size="auto")
    settled = settle(classifier, asked, 10)
    assert settled.rows in CPU_CANDIDATES
    assert settled.model_copy(update={"batch_size": "auto"}) == asked


def test_a_number_is_left_as_it_is() -> None:
    """Nothing is measured where nothing was left open."""
    classifier = _classifier(rows=0)
    asked = _asked(classifier, batch_size=77)
    assert settle(classifier, asked, 10) == asked


def test_the_search_backs_off_from_batches_that_do_not_fit() -> None:
    """Where 64 rows need more memory than there is, the job goes on with fewer."""
    run = certd.certify(_classifier(rows=40), IMAGE, labels=[1], sigma=0.25, n=100, seed=1, batch_size="auto")
    assert run.manifest.execution.batch_size in {16, 32}
    assert run.manifest.certification.rows == run.manifest.execution.batch_size


def test_a_batch_that_was_asked_for_and_does_not_fit_says_what_to_do() -> None:
    """Running out of memory on the processor is no failure of the model."""
    with pytest.raises(OutOfMemory, match="batch_size auto"):
        certd.certify(_classifier(rows=40), IMAGE, labels=[1], sigma=0.25, n=100, batch_size=64)


def test_a_device_without_room_for_any_batch_says_so() -> None:
    """The search ends with the error, not with a size."""
    with pytest.raises(OutOfMemory):
        certd.certify(_classifier(rows=0), IMAGE, labels=[1], sigma=0.25, n=100, batch_size="auto")


def test_short_jobs_are_not_compiled() -> None:
    """A hundred draws are over before a compiler has started."""
    classifier = _classifier()
    settled = settle(classifier, _asked(classifier, compiled="auto"), 1)
    assert settled.execution.compiled is False


def test_long_jobs_are_compiled() -> None:
    """Where the draws take hours, compiling is earned back; nothing is compiled to find out."""
    classifier = _classifier()
    asked = _asked(classifier, compiled="auto", plan="fixed", n=2**30 - 1)
    assert settle(classifier, asked, 10**9).execution.compiled is True


def test_nothing_is_drawn_before_all_is_settled() -> None:
    """A certifier refuses what is still open, whichever of the two it is."""
    classifier = _classifier()
    for option in ({"batch_size": "auto"}, {"compiled": "auto"}):
        with pytest.raises(InvalidParameter, match="Settle"):
            Certifier(classifier, _asked(classifier, **option))


def test_who_goes_on_with_a_job_executes_as_it_began() -> None:
    """A second worker does not measure again: it takes the batch size of the first."""
    cache = ModelCache("cpu", None)
    request = parse_request({"model": "digits-cnn", "sigma": 0.25, "batch_size": "auto", "compiled": "auto"})
    certification = request.resolve(certd.models.load_model("digits-cnn").reference, labelled=True)
    first = cache.certifier(certification, 1).execution
    began_elsewhere = first.model_copy(update={"batch_size": 48})
    assert cache.certifier(certification, 1, began_elsewhere).execution == began_elsewhere
    assert settled_as(certification, began_elsewhere).rows == 48


def test_an_estimate_measures_nothing_to_settle() -> None:
    """What is open takes its default."""
    settled = as_asked(_asked(_classifier(), batch_size="auto", compiled="auto"))
    assert (settled.rows, settled.execution.compiled) == (256, False)


def test_a_worker_that_would_execute_otherwise_is_refused(tmp_path: Path) -> None:
    """Counts of two executions are counts of two classifiers, and never come into one job."""
    storage, cache = JobStorage(FolderStore(tmp_path)), ModelCache("cpu", None)
    request = parse_request({"model": "digits-cnn", "sigma": 0.25, "batch_size": 16})
    certification = request.resolve(certd.models.load_model("digits-cnn").reference, labelled=False)
    inputs = Inputs(np.zeros(1, dtype=np.uint64), np.zeros((1, 1, 8, 8), dtype=np.uint8), None)
    job = Job(
        id=new_job_id(),
        created_at=utc_now(),
        certification=certification,
        inputs=JobInputs(num_images=1, labelled=False, sha256="0" * 64),
        max_radius=1.0,
        shards=cut(1, certification.procedure.max_draws, None, 1.0),
    )
    storage.create(job, inputs)
    here = cache.certifier(certification, 1).execution
    storage.pin_execution(job.id, here.model_copy(update={"threads": here.threads + 1}))
    board, datasets = cast("ProgressBoard", None), cast("DatasetCache", None)  # neither is reached
    with pytest.raises(ModelError, match="CERTD_THREADS"):
        ShardWork(storage, board, cache, datasets).run(job, 0)


def test_auto_compiles_nothing_where_no_compiler_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A long job earns any compilation back, but where no compiler is it must run all the same."""
    certification = _asked(_classifier(), compiled="auto", batch_size=4, plan="fixed", n=10**9)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert settle(_classifier(), certification, 1000).execution.compiled is False
    found = tmp_path / ("clang++" if sys.platform == "darwin" else "g++")
    found.touch(mode=0o755)
    assert settle(_classifier(), certification, 1000).execution.compiled is True


@pytest.mark.parametrize(("variable", "device"), [("CXX", "cpu"), ("CC", "cuda")])
def test_a_named_compiler_is_the_one_looked_for(
    variable: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch and Triton use the compiler that the environment names, so another does not count."""
    monkeypatch.setenv(variable, "no-such-compiler")
    assert not can_compile(device)
    monkeypatch.setenv(variable, sys.executable)
    assert can_compile(device)
