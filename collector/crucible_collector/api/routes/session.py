"""How the page keeps its API key: as a cookie that no script reads, sent to this collector alone.

The cookie is the key. It so ends with the key, on every collector, and nothing of it needs to be kept; what
the page could do with a session of another kind it can do with the key, as whoever gave it.
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from crucible_collector.access.guard import Guard
from crucible_collector.access.principal import Principal, principal_of
from crucible_collector.api.access import Session, SessionRequest
from crucible_collector.api.answer import whole
from crucible_collector.api.guard import COOKIE, require_own_page
from crucible_collector.api.models import One

# A working day; the key itself may end before.
SESSION_S = 12 * 3600


def session_router(guard: Guard | None) -> APIRouter:
    """None: nobody is asked for a key."""
    router = APIRouter(prefix="/session", tags=["access"])

    @router.get("", response_model=One[Session], summary="Who asks")
    def who(request: Request) -> Response:
        return whole(_told(principal_of(request.scope), guard))

    @router.post("", response_model=One[Session], summary="Give the page an API key")
    async def begin(asked: SessionRequest, request: Request) -> Response:
        """The key comes back as a cookie, for twelve hours."""
        if "sec-fetch-site" in request.headers or "origin" in request.headers:
            require_own_page(request.headers)
        if guard is None or guard.keys is None:
            return whole(_told(principal_of(request.scope), guard))
        address = request.client.host if request.client else ""
        admitted = await guard.admit_async(f"Bearer {asked.key}", address, "read")
        answer = JSONResponse(
            {"data": _told(admitted.principal, guard), "meta": {}},
            headers={"Cache-Control": "no-store"},
        )
        answer.set_cookie(
            COOKIE,
            asked.key,
            max_age=SESSION_S,
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    @router.delete("", status_code=HTTPStatus.NO_CONTENT, summary="Have the page forget its key")
    def end(request: Request) -> Response:
        if "sec-fetch-site" in request.headers or "origin" in request.headers:
            require_own_page(request.headers)
        answer = Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "no-store"})
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    return router


def _told(principal: Principal, guard: Guard | None) -> dict[str, object]:
    return {
        "name": principal.name,
        "scopes": sorted(principal.scopes),
        "experiment_prefix": principal.experiment_prefix,
        "needs_key": guard is not None and guard.keys is not None,
    }
