"""What a browser loads: the page at `/`, the API's own page at `/docs`, and their files.

Everything comes from this package and nothing from the network; the policy in every answer makes
the browser hold to that, so a script smuggled into a run's name has nowhere to run and nobody to
call.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE = Path(__file__).parent / "page"

_SECURITY_HEADERS = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            b"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# An update of the collector must reach an open browser: always asked, answered 304 by its ETag.
_ASK_AGAIN = {"Cache-Control": "no-cache"}


class SecurityHeaders:
    """Adds the policy to every answer, refusals and files included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_SECURITY_HEADERS]}
            await send(message)

        await self._app(scope, receive, send_guarded)


class _Files(StaticFiles):
    """The files with the word to ask again, which StaticFiles leaves to guesswork."""

    def file_response(self, *args: object, **named: object) -> Response:
        response = super().file_response(*args, **named)  # type: ignore[arg-type]
        response.headers.update(_ASK_AGAIN)
        return response


def install(app: FastAPI) -> None:
    """Add both pages and `/assets`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def index() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=_ASK_AGAIN)

    @router.get("/docs")
    def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html", headers=_ASK_AGAIN)

    app.include_router(router)
    app.mount("/assets", _Files(directory=PAGE))
