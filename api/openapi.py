"""The description of the interface: what the framework knows of it, and what it cannot see.

It cannot see that every refusal is a problem document, what a submission's body holds, which headers are
read, and how a bearer key is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.problem import Problem
from certd.jobs.request import EstimateRequest, JobRequest
from certd.jobs.sweep_request import FinalRequest, SweepRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

PROBLEM = "application/problem+json"
REF, REFUSAL = "#/components/schemas/", "#/components/responses/Refusal"
HIDDEN = ("HTTPValidationError", "ValidationError")
TAGS = {
    "jobs": "Submit images, watch the job, cancel or delete it.",
    "results": "What a job has proved so far, in every form.",
    "sweeps": "Soups of a grid, certified as one job.",
    "comparison": "Jobs beside one another.",
    "models": "Base classifiers that the operator registered.",
    "datasets": "Data sets that the operator registered.",
    "operations": "Probes and metrics.",
}
DIGITS: dict[str, Any] = {
    "model": "digits-cnn", "dataset": "digits", "limit": 20, "sigma": 0.25, "plan": "fixed", "n": 1000,
}  # fmt: skip
RADII: dict[str, Any] = {
    "model": "digits-cnn", "dataset": "digits", "skip": 20, "sigma": 0.25, "plan": "radii", "n": 100_000,
    "radii": [0.25, 0.5], "alpha": 0.001, "seed": 7,
}  # fmt: skip
UPLOADED: dict[str, Any] = {"model": "digits-cnn", "sigma": 0.25, "n": 1000, "labels": [3, 7]}
SWEPT: dict[str, Any] = {
    "ingredients": ["digits-cnn"], "units": 5, "dataset": "digits", "stop": 20, "sigmas": [0.25], "n": 200,
    "radius": 0.25, "seed": 7,
}  # fmt: skip
FINAL: dict[str, Any] = {"sigma": 0.25, "start": 180, "limit": 100, "n": 10_000}
ESTIMATED: dict[str, Any] = {"model": "digits-cnn", "sigma": 0.25, "n": 100_000, "num_images": 500}
# Bodies that the framework does not read; see api.body.
OPTIONS = (
    ("/v1/estimate", "EstimateRequest", ESTIMATED),
    ("/v1/sweeps", "SweepRequest", SWEPT),
    ("/v1/sweeps/estimate", "SweepRequest", SWEPT),
    ("/v1/sweeps/{job_id}/certify", "FinalRequest", FINAL),
)
REFUSED: dict[str, Any] = {
    "type": "urn:certd:problem:invalid-parameter",
    "title": "Invalid parameter",
    "status": 422,
    "detail": "/sigma: Input should be greater than 0",
    "code": "invalid-parameter",
    "pointer": "/sigma",
}


def install(app: FastAPI) -> None:
    """Complete the description of ``app`` when it is first asked for."""
    drawn = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(drawn())
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = schema["components"]["schemas"]
    for name in HIDDEN:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template=REF + "{model}")
    for kind in (JobRequest, EstimateRequest, SweepRequest, FinalRequest):
        described = kind.model_json_schema(ref_template=REF + "{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[kind.__name__] = described
    schema["components"]["responses"] = {"Refusal": _refusal()}
    schema["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "From `certd keys`, where keys are in use"}
    }
    schema["security"] = [{"key": []}, {}]
    schema["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    for operation in _operations(schema):
        operation["responses"].pop("422", None)
        operation["responses"] |= {kind: {"$ref": REFUSAL} for kind in ("4XX", "5XX")}
    _describe_submission(schema)
    return schema


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in schema["paths"].values():
        yield from methods.values()


def _refusal() -> dict[str, Any]:
    content = {"schema": {"$ref": REF + "Problem"}, "example": REFUSED}
    return {
        "description": "Refused, with the reason (RFC 9457); nothing is stored",
        "headers": {
            "Retry-After": {"description": "Seconds, where asking again may help", "schema": _whole_number()}
        },
        "content": {PROBLEM: content},
    }


def _describe_submission(schema: dict[str, Any]) -> None:
    submit = schema["paths"]["/v1/jobs"]["post"]
    job = {"$ref": REF + "JobRequest"}
    parts = {
        "type": "object",
        "required": ["request", "images"],
        "properties": {
            "request": {**job, "description": "The options, as a part of type application/json or text"},
            "images": {
                "type": "array",
                "items": {"type": "string", "format": "binary"},
                "description": "Image files, or one .npy or .npz",
            },
        },
    }
    submit["responses"]["202"]["content"] = {"application/json": {"schema": {"$ref": REF + "JobView"}}}
    submit["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {
                "schema": job,
                "examples": {
                    "a data set": {"summary": "Twenty images of a data set", "value": DIGITS},
                    "declared radii": {"summary": "Stop early at two radii", "value": RADII},
                },
            },
            "multipart/form-data": {
                "schema": parts,
                "encoding": {"request": {"contentType": "application/json"}},
                "examples": {
                    "two images": {
                        "summary": "Two labelled images",
                        "value": {"request": UPLOADED, "images": ["3.png", "7.png"]},
                    }
                },
            },
        },
    }
    _describe_options(schema)
    submit.setdefault("parameters", []).extend(
        (
            _key_header(),
            _header("Prefer", "`wait=20`: answer when the job has ended, or after 20 seconds", _text(64)),
        )
    )
    schema["paths"]["/v1/jobs/{job_id}/rerun"]["post"]["parameters"].append(_key_header())
    read = schema["paths"]["/v1/jobs/{job_id}"]["get"]
    read.setdefault("parameters", []).extend(
        (
            _header("Prefer", "`wait=20`: answer when the job has ended, or after 20 seconds", _text(64)),
            _header("If-None-Match", "An ETag: answer 304 if nothing changed since", _text(255)),
        )
    )


def _describe_options(schema: dict[str, Any]) -> None:
    for path, kind, example in OPTIONS:
        operation = schema["paths"][path]["post"]
        content = {"schema": {"$ref": REF + kind}, "example": example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
        if not path.endswith("estimate"):
            operation.setdefault("parameters", []).append(_key_header())


def _key_header() -> dict[str, Any]:
    return _header("Idempotency-Key", "Sent again with the same key, a request finds its job", _text(255))


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"^[!-~]([ -~]*[!-~])?$"}


def _whole_number() -> dict[str, Any]:
    return {"type": "integer", "minimum": 0}
