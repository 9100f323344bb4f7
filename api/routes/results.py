"""What a job has proved so far: certificates and report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import Field

from api.certificate_filter import CertificateFilter
from api.forms import FORMS, FormName, accepted_form
from api.schemas import CertificatePage, ImageView, ProspectView
from api.services import Provided, Services
from certd.errors import Conflict, InvalidParameter, NotFound, TooLarge
from certd.jobs.rendering import PAGE, REPORT, render
from certd.reports.figures.forms import FIGURE_TYPES, FigureForm
from certd.reports.outlook import outlook_of
from certd.reports.paper import TABLE_TYPES, TableForm
from certd.reports.weight_page import weight_page
from certd.reports.weight_sweep import DEFAULT_WEIGHTS, MOST_WEIGHTS, WeightSweep, sweep_weights
from certd.smoothing.manifest import Manifest

# The page carries its own style and nothing else: no script, no request to anywhere.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

MAX_PAGE = 10_000
# Some ten seconds of one core.
MOST_CONCLUSIONS = 50_000

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

Weights = Annotated[
    list[float] | None,
    Query(alias="weight", max_length=MOST_WEIGHTS, description="Of the smoothed model, in [0.5, 1]"),
]
ImageId = Annotated[int, Path(ge=0, lt=1 << 64)]
Run = Annotated[int | None, Query(ge=0, lt=1 << 31, description="Of a sweep: which run, by its number")]


class PageWanted(CertificateFilter):
    """Which certificates, in which form."""

    format: FormName | None = Field(default=None, description="Else by Accept")
    page_size: int = Field(default=1000, ge=1, le=MAX_PAGE)
    run: Run = None
    page_token: str | None = Field(
        default=None, pattern=r"^[0-9]{1,12}$", description="Goes on where a page ended"
    )

    @property
    def narrow(self) -> bool:
        """Return whether not all images are meant."""
        return bool(self.model_fields_set - {"format", "run"})


@router.get(
    "/certificates",
    response_model=CertificatePage,
    responses={200: {"content": {form.media_type: {} for form in FORMS.values()}}},
)
def certificates(
    job_id: str,
    request: Request,
    services: Provided,
    wanted: Annotated[PageWanted, Query()],
) -> Any:
    """Return one row an image: the finished ones while the job runs, all of them after it.

    JSON comes in pages, and of chosen images where asked; every other form is one file of all.
    """
    job = services.storage.read(job_id)
    form = wanted.format or accepted_form(request.headers.get("accept", ""))
    if form != "json":
        if wanted.narrow:
            raise InvalidParameter(
                f"Pages and conditions are for JSON; {form} is one file of all images.", pointer="/format"
            )
        return FORMS[form].response(job_id, services.storage.read_run(job_id, wanted.run))
    images = services.finished.read(job_id, wanted.run)
    first = int(wanted.page_token or 0)
    chosen = [(place, one) for place, one in images.placed if place >= first and wanted.wants(one)]
    page, rest = chosen[: wanted.page_size], chosen[wanted.page_size :]
    return CertificatePage(
        job_id=job_id,
        images_requested=job.inputs.num_images,
        images_finished=len(images),
        certificates=[one.row() for _, one in page],
        next_page_token=str(rest[0][0]) if rest else None,
    )


@router.get("/certificates/{image_id}")
def certificate(job_id: str, image_id: ImageId, services: Provided, run: Run = None) -> ImageView:
    """Return one image by its id: its counts, what they prove, and what more draws might."""
    images = services.finished.read(job_id, run)
    found = images.find(image_id)
    if found is None:
        raise NotFound(f"Job {job_id} has no finished image with the id {image_id}.")
    outlook = outlook_of(found, images.run.manifest)
    return ImageView(
        job_id=job_id,
        certificate=found.row(),
        prospects=None if outlook is None else [ProspectView(**asdict(one)) for one in outlook.prospects],
        least_draws=None if outlook is None else outlook.least_draws,
    )


@router.get("/report", response_model=dict[str, Any])
def report(job_id: str, services: Provided) -> Response:
    """Return the report as JSON; before the end, that of the images finished so far."""
    return Response(render(services.storage, job_id, REPORT), media_type="application/json")


@router.get("/report.html", response_class=HTMLResponse)
def report_page(job_id: str, services: Provided) -> Response:
    """Return the report as one self-contained page; before the end, that of the images finished so far."""
    page = render(services.storage, job_id, PAGE)
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@router.get(
    "/report/figures/{name}.{form}",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in FIGURE_TYPES.values()}}},
)
def report_figure(job_id: str, name: str, form: FigureForm, services: Provided) -> Response:
    """Return one figure of the report: SVG, PNG, PDF, or JSON with all that is drawn."""
    content = render(services.storage, job_id, f"figure.{name}.{form}")
    headers = {"Content-Security-Policy": PAGE_POLICY}
    return Response(content, media_type=FIGURE_TYPES[form], headers=headers)


@router.get(
    "/report/tables/{name}.{form}",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in TABLE_TYPES.values()}}},
)
def report_table(job_id: str, name: str, form: TableForm, services: Provided) -> Response:
    """Return one table of the report for a paper: Markdown, LaTeX or CSV."""
    return Response(render(services.storage, job_id, f"table.{name}.{form}"), media_type=TABLE_TYPES[form])


@router.get("/weights")
def weights(job_id: str, services: Provided, at: Weights = None) -> dict[str, Any]:
    """Conclude the job of a smooth-then-mix mixture at many weights, from its counts."""
    return _sweep(services, job_id, at).as_json()


@router.get("/weights.html", response_class=HTMLResponse)
def weights_page(job_id: str, services: Provided, at: Weights = None) -> Response:
    """Return the sweep over weights as one self-contained page."""
    page = weight_page(_sweep(services, job_id, at))
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


def _sweep(services: Services, job_id: str, at: list[float] | None) -> WeightSweep:
    run = services.storage.read_run(job_id)
    if run is None:
        services.storage.read(job_id)
        raise Conflict("No image of this job is finished yet; ask again when its progress says so.")
    weights = at or DEFAULT_WEIGHTS
    if len(weights) * len(run.certificates) > MOST_CONCLUSIONS:
        raise TooLarge(
            f"{len(weights)} weights of {len(run.certificates):,} images are more than the "
            f"{MOST_CONCLUSIONS:,} conclusions of one answer. Name fewer weights, or download the job as "
            "Parquet and use certd weights."
        )
    return sweep_weights(run, weights)


@router.get("/manifest")
def manifest(job_id: str, services: Provided, run: Run = None) -> Manifest:
    """Return what is certified, with what, from which seed and in which arithmetic."""
    found = services.storage.read_run(job_id, run)
    if found is None:
        services.storage.read(job_id)
        raise Conflict("No image of this job is finished yet, so how it is executed is not settled.")
    return found.manifest
