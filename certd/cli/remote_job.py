"""A certification by a service, with the output of one in this process."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.cli.display import watching
from certd.client import Client
from certd.errors import CertdError, Conflict, InvalidParameter
from certd.settings import load_settings
from certd.smoothing.request import parse_request
from certd.smoothing.run import read_run
from certd.statistics import floor_to

if TYPE_CHECKING:
    from pathlib import Path

    from certd.cli.images import ChosenImages
    from certd.datasets import Dataset, LazyDataset
    from certd.smoothing.run import Run

SELECTION = ("skip", "start", "stop", "limit", "indices", "sample", "sample_seed")


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """What the command was asked to have done.

    Attributes:
        server: URL of the service.
        asked: The options of the certification, under the names of the service.
        images: What to certify.
        out: Where to put the run.
    """

    server: str
    asked: dict[str, Any]
    images: ChosenImages
    out: Path | None

    def run(self) -> Run:
        """Submit the job, show it until it ends, and return its run.

        Raises:
            Unreachable: If no server answers.
            InvalidRequest: With the service's explanation, when it refuses.
            CertdError: If the job ended without all its certificates.
        """
        if self.out is not None and self.out.exists():
            raise Conflict(f"{self.out} exists; choose another --out.")
        parse_request(self.asked)
        key = load_settings().key
        with Client(self.server, None if key is None else key.get_secret_value()) as client:
            job = self._submit(client)
            _announce(job)
            try:
                ended = watching(client, job)
            except KeyboardInterrupt:
                sys.stderr.write(f"\n{job['id']} goes on at {self.server}{job['links']['self']}.\n")
                raise
            return self._fetch(client, ended)

    def _submit(self, client: Client) -> dict[str, Any]:
        request = {name: value for name, value in self.asked.items() if value is not None}
        if self.images.label_map is None and self.images.dataset in client.datasets():
            selection = {name: self.images.selection[name] for name in SELECTION}
            given = {name: value for name, value in selection.items() if value is not None}
            return client.submit({**request, "dataset": self.images.dataset, **given})
        images = self.images.open()
        labels = None if images.labels is None else images.labels.tolist()
        request |= {"image_ids": images.image_ids.tolist(), "labels": labels}
        return client.submit(request, [("images.npy", _npy(images))])

    def _fetch(self, client: Client, job: dict[str, Any]) -> Run:
        if job["status"] == "failed":
            raise CertdError(f"{job['id']} failed: {job['error']['detail']}")
        content = client.run_file(job["id"])
        if self.out is not None:
            self.out.write_bytes(content)
        return read_run(io.BytesIO(content))


def _npy(images: Dataset | LazyDataset) -> bytes:
    if not len(images):
        raise InvalidParameter("No image is chosen.")
    stream = io.BytesIO()
    np.save(stream, images.images[:])
    return stream.getvalue()


def _announce(job: dict[str, Any]) -> None:
    noise, plan = job["certification"]["noise"], job["certification"]["plan"]
    sys.stderr.write(
        f"{job['progress']['images_total']} images, sigma {noise['sigma']:g}, plan {plan['kind']}, "
        f"seed {job['certification']['seed']}, largest {job['certification']['norm']} radius "
        f"{floor_to(job['max_radius'], 4)}, {job['id']}\n"
    )
