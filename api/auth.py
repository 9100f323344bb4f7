"""Authentication: every request shows a key before anything of it is read, save the probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import structlog
from fastapi import Depends, Request
from redis.exceptions import RedisError
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse

from api.errors import problem, wants_page
from api.services import Provided, Services  # noqa: TC001 - FastAPI reads annotations
from certd.access import Caller
from certd.access.door import Door, cookie_counts, is_open, needed_scope
from certd.errors import CertdError, NotFound, Unauthorized, Unavailable, UnreadableInput

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from certd.access import KeyStore, Session, Sessions
    from certd.jobs.uploads import Upload

log = structlog.get_logger("api")


SESSION_COOKIE = "certd_session"


class Authentication:
    """ASGI middleware in front of all routes, those not written yet included.

    Args:
        app: The application inside.
        store: The keys.
        sessions: Those of browsers.
    """

    def __init__(self, app: ASGIApp, store: KeyStore, sessions: Sessions) -> None:
        self._app = app
        self._door = Door(store)
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its caller, or refuse it unread."""
        if scope["type"] == "lifespan" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            caller = self._admit(scope)
        except CertdError as error:
            await _refusal(scope, error)(scope, receive, send)
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
            session = None if shown else self._session(scope, headers)
            caller = (
                Caller.of(session.key)
                if session
                else self._door.admit(shown[0] if shown else None, headers.get("host"), headers.get("origin"))
            )
        except RedisError:
            raise Unavailable("The queue does not answer; try again in a moment.") from None
        except (Unavailable, UnreadableInput, OSError):
            log.exception("keys_unreadable")
            raise Unavailable(
                "The keys cannot be read now; an operator finds the cause in the log."
            ) from None
        caller.require(needed_scope(scope.get("method", "GET"), scope["path"]))
        return caller

    def _session(self, scope: Scope, headers: Headers) -> Session | None:
        """Return the session whose cookie came along, where that may speak for its holder."""
        cookie = cookie_parser(headers.get("cookie", "")).get(SESSION_COOKIE)
        if cookie is None or not cookie_counts(scope.get("method", "GET"), scope["path"]):
            return None
        session = self._sessions.find(cookie)
        if session is not None:
            scope.setdefault("state", {})["session"] = session
        return session


def _refusal(scope: Scope, error: CertdError) -> Response:
    """Return what is answered at the door: to a reader of pages, where a key is shown."""
    request = Request(scope)
    if isinstance(error, Unauthorized) and request.method == "GET" and wants_page(request):
        return RedirectResponse(sign_in_url(request), 303)
    response = problem(error.status, error.code, error.title, error.message, **error.details)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = error.challenge
    return response


async def _caller(request: Request) -> Caller:
    # Not to wait for is cheaper than a thread.
    caller: Caller = request.state.caller
    return caller


def sign_in_url(request: Request) -> str:
    """Return where a key is shown, from where its holder comes back."""
    query = f"?{request.url.query}" if request.url.query else ""
    return "/sign-in?" + urlencode({"next": request.url.path + query})


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
        if not sees(services, request.state.caller, job_id):
            raise NotFound(f"There is no job {job_id!r}.")


def find_own(services: Services, caller: Caller, upload_id: str) -> Upload:
    """Return an upload that ``caller`` sees.

    Raises:
        NotFound: If there is none; another owner's is as absent as one that never was.
    """
    found = services.uploads.find(upload_id)
    if not (caller.sees_all or found.owner == caller.owner):
        raise NotFound(f"There is no upload {upload_id!r}; uploads are kept for a day.")
    return found


def visible_job_ids(services: Services, caller: Caller) -> list[str]:
    """Return the jobs that ``caller`` sees, newest first."""
    names = services.storage.job_ids()
    return names if caller.sees_all else [name for name in names if sees(services, caller, name)]


def sees(services: Services, caller: Caller, job_id: str) -> bool:
    """Return whether a job exists for ``caller``."""
    try:
        return services.owners.sees(caller, job_id)
    except NotFound:
        return False
