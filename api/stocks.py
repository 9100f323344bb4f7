"""Stocks: how many jobs, messages, workers and bytes there are, read when somebody asks."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from api.census import Census
from certd.jobs.backlog import read_backlog
from certd.jobs.workforce import Workforce

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from api.services import Services

log = structlog.get_logger("api")


class Stocks(Collector):
    """Gauges that are read from storage and queue at each scrape.

    Args:
        services: Where to read.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._census = Census(services.storage, services.board)

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge; those that need the queue only while it answers."""
        yield _gauge("certd_storage_free_bytes", "Free space under the data folder.", self._free_bytes())
        try:
            found = [*self._jobs(), *self._backlog(), *self._workers()]
        except RedisError as error:
            log.warning("queue_away", detail=str(error))
            found = []
        yield _gauge("certd_queue_up", "Whether the queue answers: 1 or 0.", float(bool(found)))
        yield from found

    def _free_bytes(self) -> float:
        return float(shutil.disk_usage(self._services.settings.data_dir).free)

    def _jobs(self) -> Iterator[Metric]:
        count = self._census.take()
        yield _family("certd_jobs", "Jobs by state.", "state", {str(s): n for s, n in count.by_state.items()})
        yield _gauge(
            "certd_unfinished_draws",
            "Noise draws that unfinished jobs may cost at most; their progress is not taken off.",
            count.unfinished_draws,
        )

    def _backlog(self) -> Iterator[Metric]:
        queues = read_backlog(self._services.redis)
        depths = {name: queue.depth for name, queue in queues.items()}
        ages = {name: queue.oldest_age_seconds for name, queue in queues.items()}
        yield _family("certd_queue_depth", "Messages that wait for a worker.", "queue", depths)
        yield _family("certd_queue_oldest_age_seconds", "How long the first one has waited.", "queue", ages)

    def _workers(self) -> Iterator[Metric]:
        now = time.time()
        ages = [now - worker.seen_at for worker in Workforce(self._services.redis).workers()]
        yield _gauge("certd_workers", "Workers whose heartbeat is fresh.", len(ages))
        yield _gauge(
            "certd_worker_heartbeat_age_seconds",
            "Age of the oldest fresh heartbeat; 0 without workers.",
            max(0.0, *ages, 0.0),
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _family(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
