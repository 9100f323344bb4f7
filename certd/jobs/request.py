"""What a client sends: a certification and the images it is about, under one flat set of names."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from certd.jobs.uploads import ID_PATTERN as UPLOAD_ID
from certd.smoothing.request import CertificationRequest

RERUN_OF, FINAL_OF = "rerun-of-", "final-of-"


def _is_the_senders(tag: str) -> str:
    if tag.startswith((RERUN_OF, FINAL_OF)):
        raise ValueError(
            f"tags that begin with {RERUN_OF} or {FINAL_OF} say where a job comes from, so the service alone "
            "gives them; choose another word"
        )
    return tag


Tag = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    AfterValidator(_is_the_senders),
]
# Larger integers are rounded by clients that read numbers as floats.
ImageId = Annotated[int, Field(ge=0, lt=1 << 53)]
MOST_LISTED = 1_000_000
# One bad entry refuses a list; an error for each of a million would be an answer of its own size.
Listed = Field(max_length=MOST_LISTED, fail_fast=True)
Numbers = Annotated[list[int], Listed]
ImageIds = Annotated[list[ImageId], Listed]


class JobRequest(CertificationRequest):
    """The JSON part of a submission. Images come beside it as files, or are named by ``dataset``."""

    dataset: str | None = Field(default=None, max_length=256, examples=["digits"])
    skip: int = Field(default=1, ge=1, description="Take every skip-th image of the data set")
    start: int = Field(default=0, ge=0)
    stop: int | None = Field(default=None, ge=1)
    limit: int | None = Field(default=None, ge=1, description="Take at most so many images")
    indices: Numbers | None = Field(default=None, description="Take these images instead")
    sample: int | None = Field(default=None, ge=1, description="Keep so many of them, drawn at random")
    sample_seed: int = Field(default=0, ge=0, lt=1 << 53, description="Chooses the sample")
    upload: str | None = Field(
        default=None, pattern=UPLOAD_ID, description="A file that was sent to /v1/uploads, instead of files"
    )
    labels: Numbers | None = Field(default=None, description="True classes of uploaded images, in order")
    image_ids: ImageIds | None = Field(
        default=None, description="Ids of uploaded images, which key their noise; by default 0, 1, 2, ..."
    )
    layout: Literal["NCHW", "NHWC"] | None = Field(default=None, description="Axes of an uploaded array")
    tags: list[Tag] = Field(default=[], max_length=16, description="Words to find the job by")


class EstimateRequest(CertificationRequest):
    """The options of a job that is not submitted yet, and how many images it would have."""

    num_images: int = Field(default=1, ge=1, le=10**9)
    labelled: bool = Field(default=True, description="Whether the images will have labels")
