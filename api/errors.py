"""Every refusal as RFC 9457 ``application/problem+json``, the framework's own included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from api.dashboard.refusals import refusal_page
from api.request_log import HEADER, current_request_id
from certd.errors import CertdError, InvalidRequest, Unavailable
from certd.smoothing.options import problems

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from starlette.responses import Response

log = structlog.get_logger("api")

RETRY_AFTER_SECONDS = 2


def problem(status: int, code: str, title: str, detail: str, **members: Any) -> JSONResponse:
    """Return a problem document; members that are None are left out."""
    document = {
        "type": f"urn:certd:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    document |= {name: value for name, value in members.items() if value is not None}
    pause = members.get("retry_after_seconds", RETRY_AFTER_SECONDS)
    headers = {"Retry-After": str(pause)} if status in {429, 503} else None
    return JSONResponse(document, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Translate every error of ``app`` into a problem document."""
    app.exception_handler(CertdError)(_certd_error)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(_framework_error)
    app.exception_handler(RedisError)(_queue_away)
    app.exception_handler(Exception)(_unexpected)


def wants_page(request: Request) -> bool:
    """Return whether a person reads the answer: only browsers ask for HTML."""
    return "text/html" in request.headers.get("accept", "")


def _answer(request: Request, status: int, code: str, title: str, detail: str, **members: Any) -> Response:
    """Return a refusal as the sender reads it: a page to a person, a problem document to a program."""
    document = problem(status, code, title, detail, **members)
    if not wants_page(request) or request.url.path.startswith("/v1/"):
        return document
    page = refusal_page(request, status, title, detail)
    if "Retry-After" in document.headers:
        page.headers["Retry-After"] = document.headers["Retry-After"]
    return page


async def _certd_error(request: Request, error: CertdError) -> Response:
    return _answer(
        request, error.status, error.code, error.title, error.message, pointer=error.pointer, **error.details
    )


async def _invalid_request(request: Request, error: RequestValidationError) -> Response:
    found = problems(error.errors(), skipped=1)
    detail = "; ".join(f"{item['pointer']}: {item['detail']}" for item in found["errors"][:3])
    return _answer(request, 422, InvalidRequest.code, InvalidRequest.title, detail, **found)


async def _framework_error(request: Request, error: HTTPException) -> Response:
    code = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(
        error.status_code, "http-error"
    )
    detail = f"{request.method} {request.url.path}: {error.detail}. See /openapi.json for what exists."
    return _answer(request, error.status_code, code, str(error.detail), detail)


async def _queue_away(request: Request, error: RedisError) -> Response:
    log.warning("queue_away", detail=str(error))
    detail = "The queue does not answer; try again in a moment."
    return _answer(request, 503, Unavailable.code, Unavailable.title, detail)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, method=request.method, exc_info=error)
    detail = "This is a fault of the service. Its log names the cause, under the id in X-Request-ID."
    response = _answer(request, 500, CertdError.code, CertdError.title, detail)
    # Sent from outside all middleware, so the id is put in here.
    response.headers[HEADER] = current_request_id() or ""
    return response
