"""What is told of API keys, of who asks, and of what was changed; and how a key is asked for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from crucible_collector.access.making import LIMIT_MAX, NAME_CHARS_MAX, PREFIX_CHARS_MAX
from crucible_collector.api.models import Model, Time
from crucible_collector.api.paging import is_storable

ScopeName = Literal["ingest", "read", "write", "admin"]


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("no stored text has a NUL or half a character in it")
    return text


def _whole(value: Any) -> Any:
    """JSON's true is no number."""
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic tells only these
    return value


Storable = AfterValidator(_storable)
_Text = Annotated[str, Storable]
_Limit = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=LIMIT_MAX)]


class KeyRequest(BaseModel):
    """The body of `POST /keys`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Text = Field(min_length=1, max_length=NAME_CHARS_MAX, examples=["ci-trainer"])
    scopes: list[ScopeName] = Field(min_length=1, max_length=4, examples=[["ingest", "read"]])
    experiment_prefix: _Text | None = Field(
        None,
        min_length=1,
        max_length=PREFIX_CHARS_MAX,
        description="Only for experiments whose id begins so.",
    )
    expires: _Text | None = Field(
        None,
        description="How long it lives, as in 12h, 90d or 1y; without it: for ever.",
        examples=["90d"],
    )
    requests_per_minute_max: _Limit | None = Field(None, description="Instead of the collector's.")
    spans_per_s_max: _Limit | None = Field(None, description="Instead of the collector's.")
    bytes_per_s_max: _Limit | None = Field(None, description="Instead of the collector's.")


class ApiKey(Model):
    """An API key; the key itself is not kept."""

    key_id: str = Field(description="The part of the key that may be told.")
    name: str
    scopes: list[ScopeName]
    experiment_prefix: str | None = Field(description="Only for experiments whose id begins so.")
    created_at: Time
    created_by: str
    expires_at: Time | None
    revoked_at: Time | None
    revoked_by: str | None
    last_used_at: Time | None = Field(description="To the minute.")
    requests_per_minute_max: int | None
    spans_per_s_max: int | None
    bytes_per_s_max: int | None
    state: Literal["valid", "expired", "revoked"]


class NewApiKey(Model):
    """A key that was made: told this once."""

    key_id: str
    name: str
    key: str = Field(description="To be sent as `authorization: Bearer …`; it is not told again.")


class RevokedApiKey(Model):
    key_id: str
    name: str


class Change(Model):
    """Something that was changed."""

    audit_id: int
    happened_at: Time
    who: str = Field(description="Name of the API key; empty: none was asked for; cli: and a user.")
    key_id: str | None
    address: str = Field(description="Where it came from; behind a proxy, the proxy's.")
    method: str = Field(description="COMMAND for a command.", examples=["PUT", "COMMAND"])
    path: str = Field(examples=["/api/v1/sampling", "keys create"])
    status: int | None
    summary: dict[str, Any] = Field(
        description="Which fields the request had, and the harmless ones as they were."
    )


class Session(Model):
    """Who asks."""

    name: str = Field(description="Of the API key; empty: none was asked for.")
    scopes: list[ScopeName]
    experiment_prefix: str | None
    needs_key: bool = Field(description="Whether the collector asks for keys at all.")


class SessionRequest(BaseModel):
    """The body of `POST /session`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(max_length=200, description="The API key.")
