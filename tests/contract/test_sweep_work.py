"""What a worker does with the shards of a sweep, by itself: batch norms, refusals, pins, memory."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.torch
import torch

from api.final_submission import FinalSubmission
from api.services import Services
from api.sweep_submission import SweepSubmission
from api.views import job_view
from certd.access import Caller
from certd.datasets.cache import DatasetCache
from certd.errors import Conflict, InvalidParameter, ModelError
from certd.jobs import keys
from certd.jobs.job import JobStatus
from certd.jobs.progress import ShardProgress
from certd.jobs.reconcile import Reconciler
from certd.jobs.rendering import REPORT, render
from certd.jobs.sweep_request import FinalRequest, SweepRequest
from certd.models import Declaration, draft_model, find_model, load_model, register_model
from certd.models.architectures import ARCHITECTURES
from certd.models.soup_family import CalibrationImages, SoupFamily
from certd.reports.sweep_report import report_of_sweep
from certd.settings import Settings
from certd.smoothing.soup_sweep import SweepFolder, run_sweep
from workers.models import ModelCache
from workers.shards import ShardWork

if TYPE_CHECKING:
    from pathlib import Path

    from certd.jobs.job import Job
    from certd.smoothing.run import Run

pytestmark = pytest.mark.integration

SWEEP: dict[str, Any] = {
    "ingredients": ["a", "b"], "units": 1, "low": -1, "high": 2, "dataset": "noise", "stop": 3,
    "sigmas": [0.25], "n": 11, "n0": 2, "seed": 5, "batch_size": 8,
}  # fmt: skip
ESTIMATED = {"calibrate": {"dataset": "noise", "start": 4, "stop": 8, "batch_size": 4}}


def _weights(seed: int, variance: float) -> bytes:
    """Return a small residual network whose batch norms have one running variance."""
    torch.manual_seed(seed)
    state = ARCHITECTURES["cifar-resnet20"]((3, 16, 16), 10).state_dict()
    for name, values in state.items():
        if name.endswith("running_var"):
            values.fill_(variance)
    return safetensors.torch.save(state)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two registered networks and a registered data set."""
    folder = tmp_path_factory.mktemp("registered")
    for seed, (name, variance) in enumerate((("a", 1.0), ("b", 3.0))):
        (folder / f"{name}.safetensors").write_bytes(_weights(seed, variance))
        declaration = Declaration(
            name, preset="cifar10", architecture="cifar-resnet20", input_shape=(3, 16, 16)
        )
        draft = draft_model(str(folder / f"{name}.safetensors"), declaration, folder)
        register_model(folder / "models.yaml", draft.specification)
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    np.savez(folder / "noise.npz", images=images, labels=rng.integers(0, 10, 12))
    (folder / "datasets.yaml").write_text(json.dumps({"noise": {"uri": "npz:noise.npz"}}))
    return folder


class Workshop:
    """A service without HTTP and a worker without a queue, on one folder."""

    def __init__(self, folder: Path, data_dir: Path, valkey_url: str) -> None:
        self.settings = Settings(
            data_dir=data_dir, models=folder / "models.yaml", datasets=folder / "datasets.yaml"
        )
        self.services = Services.connect(self.settings, valkey_url)
        self.datasets = DatasetCache(self.settings.datasets)
        self.models = self.cache()
        self.work = ShardWork(self.services.storage, self.services.board, self.models, self.datasets)

    def cache(self) -> ModelCache:
        """Return a model cache such as a worker starts with."""
        return ModelCache("cpu", self.settings.models, images=self.datasets.select)

    def submit(self, **change: Any) -> Job:
        """Submit the sweep."""
        request = SweepRequest.model_validate({**SWEEP, **change})
        return SweepSubmission(request, self.services, Caller.local()).store().job

    def final(self, job: Job, **asked: Any) -> Job:
        """Submit the final certificate of a sweep."""
        request = FinalRequest.model_validate({"sigma": 0.25, "n": 11, "n0": 2, "batch_size": 8, **asked})
        return FinalSubmission(request, job.id, self.services, Caller.local()).store().job

    def finish(self, job: Job) -> Job:
        """Do every shard of a job, and end it."""
        for shard in job.shards:
            self.work.run(job, shard.index)
        assert self.services.finisher.end_if_complete(job)
        return job

    def local(self, job: Job, folder: SweepFolder) -> SweepFolder:
        """Do the same sweep in this process, as the command line does."""
        assert job.sweep is not None
        question = job.sweep.question
        told = question.calibration
        calibration = None
        if told is not None:
            images = self.datasets.select(told["dataset"], told["image_ids"])
            calibration = CalibrationImages(images, told["sigma"], told["seed"], told["batch_size"])
        registry = self.settings.models
        family = SoupFamily(
            question.ingredients, lambda each: load_model(each, registry=registry), calibration
        )
        run_sweep(question, folder, family, self.datasets.select("noise", question.image_ids))
        return folder


def _told(run: Run | None) -> list[Any]:
    """Return all that a run says, to be compared; nothing where there is none."""
    return [] if run is None else [run.manifest, *(each.row() for each in run.certificates)]


@pytest.fixture
def shop(folder: Path, tmp_path: Path, valkey_url: str) -> Workshop:
    """Return a workshop with nothing in it."""
    return Workshop(folder, tmp_path / "data", valkey_url)


def test_a_soup_that_is_no_network_is_refused_and_the_sweep_succeeds(shop: Workshop, tmp_path: Path) -> None:
    """Averaged variances turn negative at weights 2 and -1: noted, counted as done, not in the report."""
    job = shop.finish(shop.submit())
    storage = shop.services.storage
    local = shop.local(job, SweepFolder(tmp_path / "local"))
    assert job.sweep is not None
    question = job.sweep.question
    assert question.grid == ((-1, 2), (0, 1), (1, 0), (2, -1))
    for number, (member, sigma) in enumerate(question.runs):
        assert _told(storage.read_run(job.id, number)) == _told(local.read(member, sigma))
        assert storage.read_refusal(job.id, number) == local.refused(member)
    assert "calibration" in (storage.read_refusal(job.id, 3) or "")
    assert json.loads(render(storage, job.id, REPORT)) == report_of_sweep(question, local.read).as_json()
    outcome = storage.read_outcome(job.id)
    assert outcome is not None
    assert outcome.status is JobStatus.SUCCEEDED
    assert outcome.spent.images_done == job.images_total == 5 * 3
    refused = sum(storage.read_refusal(job.id, number) is not None for number in range(5))
    assert outcome.spent.draws_done == (5 - refused) * 3 * 13
    with pytest.raises(Exception, match="no network"):
        shop.final(job, weights=[2, -1], start=8)


def test_estimated_statistics_make_every_soup_and_its_final_certificate(
    shop: Workshop, tmp_path: Path
) -> None:
    """Estimated under noise, nothing is refused; the final job is of the soup that the sweep certified."""
    job = shop.finish(shop.submit(**ESTIMATED))
    storage, local = shop.services.storage, shop.local(job, SweepFolder(tmp_path / "local"))
    assert job.sweep is not None
    for number, (member, sigma) in enumerate(job.sweep.question.runs):
        assert _told(storage.read_run(job.id, number)) == _told(local.read(member, sigma)) != []
    with pytest.raises(InvalidParameter, match="used for calibration"):
        shop.final(job, start=6)
    final = shop.finish(shop.final(job, weights=[2, -1], start=8))
    far = storage.read_begun(job.id, 3)
    assert far is not None
    assert final.certification.model == far.model
    run = storage.read_run(final.id)
    assert run is not None
    assert run.complete
    assert {each.record.image_id for each in run.certificates} == {8, 9, 10, 11}


def test_a_worker_of_another_kind_ends_a_sweep_instead_of_mixing_counts(shop: Workshop) -> None:
    """Soups must differ by their weights alone, and the shards of one run by their images alone."""
    job = shop.submit()
    shop.work.run(job, 1)
    storage = shop.services.storage
    here = storage.read_execution(job.id)
    begun = storage.read_begun(job.id, 1)
    assert here is not None
    assert begun is not None
    other = shop.submit()
    storage.pin_execution(other.id, here.model_copy(update={"threads": here.threads + 1}))
    with pytest.raises(ModelError, match="CERTD_THREADS"):
        shop.work.run(other, 2)
    third = shop.submit()
    storage.begin_run(third.id, 1, begun.model_copy(update={"model": "soup-0-1@sha256:" + "0" * 64}))
    with pytest.raises(ModelError, match="machines of one kind"):
        shop.work.run(third, 1)


def test_a_worker_keeps_the_last_few_soups_and_never_a_grid(shop: Workshop) -> None:
    """Of a long line of soups, four are kept; asked again, a soup that left is made again, the same."""
    job = shop.submit(units=10, low=0, high=10)
    assert job.sweep is not None
    question, cache = job.sweep.question, shop.cache()
    recipes = [question.recipe(member) for member in range(8)]
    made = [cache.cook(recipe) for recipe in recipes]
    assert cache.cook(recipes[-1]) is made[-1]
    assert cache.cook(recipes[4]) is made[4]
    again = cache.cook(recipes[0])
    assert again is not made[0]
    assert again.reference == made[0].reference
    before, after = made[0].module.state_dict(), again.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_lost_progress_is_read_again_refusals_included(shop: Workshop) -> None:
    """After the queue forgot everything, each finished shard counts once: a refused one as done, undrawn."""
    job = shop.submit()
    for index in (1, 2, 3):
        shop.work.run(job, index)
    services = shop.services
    known = services.board.shards(job.id)
    assert known[3] == ShardProgress(3, 0, 0)
    services.board.forget(job.id)
    services.redis.delete(keys.RECONCILER)
    reconciler = Reconciler(services.storage, services.redis, services.dispatcher, services.board)
    found = reconciler.run(lock_seconds=0.01)
    assert found is not None
    assert found.reseeded == 3
    assert services.board.shards(job.id) == known
    assert job_view(services, job).progress.images_done == 9


def test_ingredients_that_changed_end_a_sweep(shop: Workshop, folder: Path) -> None:
    """A sweep pins its ingredients: other weights under the same name are never stirred in."""
    job = shop.submit()
    file = folder / "b.safetensors"
    kept = file.read_bytes()
    content = bytearray(kept)
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    try:
        with pytest.raises(ModelError, match="is registered; restore the file"):
            shop.work.run(job, 0)
    finally:
        file.write_bytes(kept)
    assert find_model("b", registry=shop.settings.models).reference in str(job.sweep)


def test_a_data_set_that_changed_since_submission_ends_its_job(
    folder: Path, tmp_path: Path, valkey_url: str
) -> None:
    """Its shards are refused by whichever worker takes them; nothing is certified under another label."""
    shutil.copytree(folder, tmp_path / "registered")
    shop = Workshop(tmp_path / "registered", tmp_path / "data", valkey_url)
    job = shop.submit()
    with np.load(tmp_path / "registered/noise.npz") as arrays:
        images, labels = arrays["images"], arrays["labels"]
    np.savez(tmp_path / "registered/noise.npz", images=images[1:], labels=labels[1:])
    with pytest.raises(Conflict, match="changed since submission"):
        shop.work.run(job, 0)
