"""One image of a job: its picture, its votes, what they prove, and what more draws might."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Request, Response
from PIL import Image

from api.dashboard.rendering import respond
from api.services import Provided, Services
from api.views import job_view
from certd.errors import NotFound
from certd.reports.outlook import outlook_of
from certd.smoothing.draws import Phase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.jobs.job import Job
    from certd.smoothing.certificate import Certificate

router = APIRouter(prefix="/jobs/{job_id}/images", include_in_schema=False)

ImageId = Annotated[int, Path(ge=0, lt=1 << 64)]
LARGEST_SIDE = 224
# A job's pixels never change.
FOR_GOOD = {"Cache-Control": "private, max-age=604800, immutable", "X-Content-Type-Options": "nosniff"}


@router.get("/{image_id}.png")
def picture(job_id: str, image_id: ImageId, services: Provided) -> Response:
    """Return an image as a small picture."""
    job = services.storage.read(job_id)
    pixels = _pixels(services, job, image_id)
    found = Image.fromarray(
        pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    )
    found.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    stream = io.BytesIO()
    found.save(stream, "PNG")
    return Response(stream.getvalue(), media_type="image/png", headers=FOR_GOOD)


@router.get("/{image_id}")
def image_page(job_id: str, image_id: ImageId, request: Request, services: Provided) -> Response:
    """Show one image."""
    job = services.storage.read(job_id)
    images = services.finished.read(job_id)
    certificate = images.find(image_id)
    if certificate is None:
        raise NotFound(
            f"Job {job_id} has no finished image with the id {image_id}. Open the job to see those."
        )
    manifest = images.run.manifest
    return respond(
        request,
        "image_page",
        job=job_view(services, job),
        row=certificate.row(),
        votes=_votes(certificate),
        outlook=outlook_of(certificate, manifest),
        alpha=manifest.settings["alpha"],
        top_k=manifest.settings.get("top_k", 1),
        shape=manifest.input_shape,
        json_twin=f"/v1/jobs/{job_id}/certificates/{image_id}",
    )


def _votes(certificate: Certificate) -> list[dict[str, Any]]:
    """Return each class with its votes in every phase that was drawn, the most voted first."""
    tallies = certificate.record.tallies
    phases = [phase for phase in (Phase.SELECTION, Phase.PILOT, Phase.ESTIMATION) if phase in tallies]
    counted = tallies[phases[-1]]
    order = np.argsort(-counted.counts, kind="stable")
    return [
        {
            "class": int(each),
            "counts": {phase.name.lower(): int(tallies[phase].counts[each]) for phase in phases},
            "share": int(counted.counts[each]) / counted.draws,
        }
        for each in order
        if any(tallies[phase].counts[each] for phase in phases)
    ]


def _pixels(services: Services, job: Job, image_id: int) -> NDArray[np.uint8]:
    """Return one image of a job, uint8[channel, height, width]."""
    missing = NotFound(f"Job {job.id} has no image with the id {image_id}.")
    if job.inputs.dataset is None:
        found = services.storage.read_image(job.id, image_id)
        if found is None:
            raise missing
        return found
    dataset = services.datasets.get(job.inputs.dataset)
    places = np.flatnonzero(dataset.image_ids == np.uint64(image_id))
    if not len(places):
        raise missing
    return np.asarray(dataset.images[places][0])
