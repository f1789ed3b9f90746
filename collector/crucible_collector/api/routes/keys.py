"""API keys over REST: for programs that hand them out. The first one is made by command."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Annotated, Any, Protocol
from urllib.parse import unquote

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator

from crucible_collector.access.making import Made, Wanted, expiry_of
from crucible_collector.access.principal import principal_of
from crucible_collector.api.access import ApiKey, KeyRequest, NewApiKey, RevokedApiKey, Storable
from crucible_collector.api.answer import rows_of, whole
from crucible_collector.api.failures import NOT_FOUND, NotFoundError
from crucible_collector.api.models import Failure, Model, One
from crucible_collector.store.read import Reads

# More are kept, and told by the database; a list that long is nothing to look at.
LISTED_MAX = 1000


class Keys(Protocol):
    """What makes and revokes keys."""

    def make_key(self, wanted: Wanted, by: str) -> Made:
        """Make one. SettingsError, DatabaseAwayError."""
        ...

    def revoke_key(self, key: str, by: str) -> tuple[str, str] | None:
        """Revoke one by id or name; its id and name, None where there is none. SettingsError, DatabaseAwayError."""
        ...


class ListedKeys(Model):
    """All keys there are, up to a thousand."""

    data: list[ApiKey]
    meta: dict[str, object]


KeyPath = Annotated[
    str,
    AfterValidator(unquote),
    Storable,
    Path(description="The key's id, or its name.", examples=["ci-trainer"]),
]
_UNCLEAR: dict[int | str, dict[str, Any]] = {
    422: {
        "model": Failure,
        "description": "It may be one of several keys, which the message lists.",
    },
}
_CONFLICT: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not JSON."},
    422: {"model": Failure, "description": "There cannot be such a key: see the message."},
}


def keys_router(reads: Reads, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/keys", tags=["access"])

    @router.get("", response_model=ListedKeys, summary="API keys, newest first")
    def listed() -> Response:
        return rows_of(reads.json_rows("api_keys", limit=LISTED_MAX))

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        response_model=One[NewApiKey],
        responses=_CONFLICT,
        summary="Make an API key",
    )
    def make(asked: KeyRequest, request: Request) -> Response:
        """The key is in this answer and nowhere else: the collector keeps a hash of it."""
        now = dt.datetime.now(dt.UTC)
        wanted = Wanted(
            **asked.model_dump(exclude={"expires"}),
            expires_at=None if asked.expires is None else expiry_of(asked.expires, now),
        )
        made = keys.make_key(wanted, principal_of(request.scope).name)
        answer = {"data": {"key_id": made.key_id, "name": wanted.name, "key": made.key}, "meta": {}}
        return JSONResponse(answer, HTTPStatus.CREATED, {"Cache-Control": "no-store"})

    @router.delete(
        "/{key}",
        response_model=One[RevokedApiKey],
        responses={**NOT_FOUND, **_UNCLEAR},
        summary="Revoke an API key, by its id or, where no valid key has that as its id, by its name",
    )
    def revoke(key: KeyPath, request: Request) -> Response:
        """Every collector of the database refuses it within two seconds."""
        revoked = keys.revoke_key(key, principal_of(request.scope).name)
        if revoked is None:
            raise NotFoundError("valid API key", key)
        key_id, name = revoked
        return whole({"key_id": key_id, "name": name})

    return router
