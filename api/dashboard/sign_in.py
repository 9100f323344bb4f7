"""The door for people: a key shown once, a cookie afterwards."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import SESSION_COOKIE
from api.dashboard.form import read_fields, require_own_origin
from api.dashboard.rendering import respond
from api.services import Provided, Services
from certd.access import KeyStore, parse_token
from certd.access.session import SESSION_SECONDS

router = APIRouter(include_in_schema=False)

HOME = "/jobs"


@router.get("/sign-in")
def sign_in_page(request: Request, services: Provided, next: str = HOME) -> Response:  # noqa: A002 - its name in URLs
    """Ask for a key, where keys are in use."""
    if not _keys(services).entries():
        return RedirectResponse(_inside(next), 303)
    return respond(request, "sign_in", next=_inside(next), refused=False)


@router.post("/sign-in")
async def sign_in(request: Request, services: Provided) -> Response:
    """Take a key and give a cookie for it."""
    require_own_origin(request)
    fields = await read_fields(request)
    target = _inside(fields.get("next", HOME))
    token = parse_token(fields.get("key", "").strip())
    key = None if token is None else _keys(services).find(token)
    if key is None:
        return respond(request, "sign_in", 401, next=target, refused=True)
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        SESSION_COOKIE,
        services.sessions.begin(key),
        max_age=SESSION_SECONDS,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="lax",
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """Forget the cookie."""
    require_own_origin(request)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return answer


def _keys(services: Services) -> KeyStore:
    return KeyStore(services.settings.key_file)


def _inside(target: str) -> str:
    """Return a place of this service to go on to: never another site."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else HOME
