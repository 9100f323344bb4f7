"""What the routes work with: storage, queue and progress, made once a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from api.ended_jobs import EndedJobs
from api.quotas import Backpressure, DailyQuota
from api.sweep_summary import EndedSweeps
from api.upload_quota import UploadQuota
from certd.access import KeyStore, Sessions
from certd.access.owners import JobOwners
from certd.datasets.cache import DatasetCache
from certd.jobs import keys
from certd.jobs.dispatch import Dispatcher
from certd.jobs.finish import Finisher
from certd.jobs.finished import FinishedRuns
from certd.jobs.progress import ProgressBoard
from certd.jobs.queue import ShardQueue, connect, make_broker
from certd.jobs.storage import JobStorage
from certd.jobs.uploads import UploadStore
from certd.storage import open_store

if TYPE_CHECKING:
    from redis import Redis

    from certd.settings import Settings

RETRIES = 3


@dataclass(frozen=True, slots=True)
class Services:
    """The parts behind the routes."""

    settings: Settings
    storage: JobStorage
    redis: Redis
    board: ProgressBoard
    dispatcher: Dispatcher
    finisher: Finisher
    owners: JobOwners
    quota: DailyQuota
    backpressure: Backpressure
    uploads: UploadStore
    upload_quota: UploadQuota
    finished: FinishedRuns
    sessions: Sessions
    datasets: DatasetCache
    ended: EndedJobs
    ended_sweeps: EndedSweeps

    @classmethod
    def connect(cls, settings: Settings, redis_url: str) -> Services:
        """Open storage and queue; the server need not answer yet."""
        store = open_store(settings.store)
        storage = JobStorage(store)
        redis = connect(redis_url, RETRIES)
        queue = ShardQueue(make_broker(redis_url, settings.heartbeat_seconds))
        board = ProgressBoard(redis)
        uploads = UploadStore(store)
        return cls(
            settings=settings,
            storage=storage,
            redis=redis,
            board=board,
            dispatcher=Dispatcher(storage, redis, queue, 2 * settings.heartbeat_seconds),
            finisher=Finisher(storage, board),
            owners=JobOwners(storage),
            quota=DailyQuota(redis, storage, settings.max_draws_per_day),
            backpressure=Backpressure(lambda: len(storage.unfinished_ids()), settings.max_unfinished_jobs),
            uploads=uploads,
            upload_quota=UploadQuota(redis, uploads, settings.max_upload_bytes),
            finished=FinishedRuns(storage),
            sessions=Sessions(KeyStore(settings.key_file), redis),
            datasets=DatasetCache(settings.datasets),
            ended=EndedJobs(),
            ended_sweeps=EndedSweeps(storage),
        )

    def draws_per_second(self, model: str) -> float | None:
        """Return the speed a model was last measured at, or None."""
        value = self.redis.get(keys.speed(model))
        return None if value is None else float(value)


async def _services(request: Request) -> Services:
    # Not to wait for is cheaper than a thread.
    services: Services = request.app.state.services
    return services


Provided = Annotated[Services, Depends(_services)]
