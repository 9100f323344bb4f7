"""Authentication: every request shows a key before anything of it is read, save the probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import structlog
from fastapi import Depends, Request
from starlette.datastructures import Headers

from api.errors import problem
from api.services import Provided, Services  # noqa: TC001 - FastAPI reads annotations
from certd.access import Caller
from certd.access.door import OPEN_PATHS, Door, needed_scope
from certd.access.refusals import Unauthorized
from certd.errors import CertdError, NotFound, Unavailable, UnreadableInput

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from certd.access import KeyStore

log = structlog.get_logger("api")


class Authentication:
    """ASGI middleware in front of all routes, those not written yet included.

    Args:
        app: The application inside.
        store: The keys.
    """

    def __init__(self, app: ASGIApp, store: KeyStore) -> None:
        self._app = app
        self._door = Door(store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its caller, or refuse it unread."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            caller = self._admit(scope)
        except CertdError as error:
            await _refusal(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        structlog.contextvars.bind_contextvars(key_id=caller.key_id)
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        shown = headers.getlist("authorization")
        if len(shown) > 1:
            raise Unauthorized("Send one Authorization header, not several.", shown=True)
        try:
            caller = self._door.admit(shown[0] if shown else None, headers.get("host"), headers.get("origin"))
        except (Unavailable, UnreadableInput, OSError):
            log.exception("keys_unreadable")
            raise Unavailable(
                "The keys cannot be read now; an operator finds the cause in the log."
            ) from None
        caller.require(needed_scope(scope.get("method", "GET"), scope["path"]))
        return caller


def _refusal(error: CertdError) -> Response:
    response = problem(error.status, error.code, error.title, error.message, **error.details)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = error.challenge
    return response


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Authenticated = Annotated[Caller, Depends(_caller)]


def require_visible_jobs(request: Request, services: Provided) -> None:
    """Answer for a job of another owner as for one that does not exist.

    Raises:
        NotFound: If the path or the query names a job that this caller does not see.
    """
    named = [*request.query_params.getlist("job")]
    if "job_id" in request.path_params:
        named.append(request.path_params["job_id"])
    for job_id in named:
        if not _sees(services, request.state.caller, job_id):
            raise NotFound(f"There is no job {job_id!r}.")


def visible_job_ids(services: Services, caller: Caller) -> list[str]:
    """Return the jobs that ``caller`` sees, newest first."""
    names = services.storage.job_ids()
    return [name for name in names if _sees(services, caller, name)]


def _sees(services: Services, caller: Caller, job_id: str) -> bool:
    try:
        return services.owners.sees(caller, job_id)
    except NotFound:
        return False
