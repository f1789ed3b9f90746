"""What questions about settings, and changes of them, have in common: they are kept version by version."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError

from crucible_collector.api.answer import listed
from crucible_collector.api.models import Failure
from crucible_collector.api.paging import Cursor, CursorError, decode_cursor
from crucible_collector.api.parameters import Paged, Text
from crucible_collector.errors import SettingsError
from crucible_collector.store.read import Reads

NONE_MADE = {"version": 0, "origin": None, "changed_at": None, "changed_by": "", "reason": ""}
FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not a JSON object."},
    409: {"model": Failure, "description": "Another version than `version` is in force."},
    413: {"model": Failure, "description": "The body is too large."},
    415: {"model": Failure, "description": "Settings come as application/json."},
    422: {"model": Failure, "description": "Something in it is wrong; nothing was changed."},
}
# Of a body that is read as it comes, and so described by hand.
BESIDE: dict[str, Any] = {
    "changed_by": {"type": "string"},
    "reason": {"type": "string"},
    "version": {
        "type": "integer",
        "description": "The version that was changed; 409 where another is in force by now.",
    },
}


class Change(BaseModel):
    """What stands beside the settings in the body of a change."""

    changed_by: Text = ""
    reason: Text = ""
    version: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None


def taken_out(body: dict[str, Any]) -> Change:
    """What stands beside the settings, which are what is left of the body; SettingsError."""
    beside = {name: body.pop(name) for name in Change.model_fields if name in body}
    try:
        return Change.model_validate(beside, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{first['loc'][0]}: {message[0].lower()}{message[1:]}") from None


def history(reads: Reads, question: str, filters: Paged) -> Response:
    """A page of all versions, newest first."""
    cursor = decode_cursor(filters.cursor, "version")
    rows = reads.json_rows(
        question,
        last_version=_version(cursor) if cursor else None,
        skip=cursor.skip if cursor else 0,
        limit=filters.limit + 1,
    )
    return listed(rows, filters.limit, lambda row: (str(row["version"]),), cursor)


def _version(cursor: Cursor) -> int:
    text = cursor.key[0]
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise CursorError("not a cursor of this list")
    return int(text)
