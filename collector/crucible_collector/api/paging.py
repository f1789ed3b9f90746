"""Keyset pages: a cursor names the last row given, so rows that arrive meanwhile shift nothing.

Rows may share their whole key (the same span sent in two different requests, five hundred records
that got the time of their receipt). A cursor therefore also says how many rows of its key were
given already, and the next page starts at that key and skips them.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Key = tuple[str, ...]
KeyOf = Callable[[dict[str, Any]], Key]
_CURSOR_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6})(\d{3})Z", re.ASCII)


class CursorError(ValueError):
    """The text is not a cursor that this list gave."""


@dataclass(frozen=True, slots=True)
class Cursor:
    key: Key
    skip: int  # rows with this key that were given already

    def encode(self) -> str:
        """URL-safe text; opaque by intention, so that the key may change."""
        text = json.dumps([self.skip, *self.key], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(text: str | None, *names: str) -> Cursor | None:
    """The cursor in `text` (None stays None); CursorError unless its key has a text for each name."""
    if text is None:
        return None
    try:
        skip, *key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError) as error:
        raise CursorError("not a cursor of this list") from error
    if type(skip) is not int or not 0 <= skip < 1 << 31 or len(key) != len(names):
        raise CursorError("not a cursor of this list")
    if not all(type(part) is str and is_storable(part) for part in key):
        raise CursorError("not a cursor of this list")
    return Cursor(tuple(key), skip)


def is_storable(text: str) -> bool:
    """False for what JSON can escape and PostgreSQL cannot hold."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def time_and_rest(text: str) -> tuple[datetime, int]:
    """A time as answers print it: to the microsecond, and the nanoseconds below."""
    match = _CURSOR_TIME.fullmatch(text)
    if match is None:
        raise CursorError("not a cursor of this list")
    try:
        return datetime.fromisoformat(match[1] + "+00:00"), int(match[2])
    except ValueError as error:
        raise CursorError("not a cursor of this list") from error


def fields(*names: str) -> KeyOf:
    """The key that is made of these fields of a row."""
    return lambda row: tuple(row[name] for name in names)


@dataclass(frozen=True, slots=True)
class Cut:
    """The rows of one answer, each a JSON object, and where the next begins."""

    rows: list[str]
    next_cursor: str | None


def cut(rows: list[str], limit: int, key_of: KeyOf, before: Cursor | None) -> Cut:
    """Keep `limit` of the rows, of which one more than that was asked for."""
    if len(rows) <= limit:
        return Cut(rows, None)
    kept = rows[:limit]
    last = key_of(json.loads(kept[-1]))
    same = 1
    while same < len(kept) and key_of(json.loads(kept[-1 - same])) == last:
        same += 1
    if same == len(kept) and before is not None and before.key == last:
        same += before.skip
    return Cut(kept, Cursor(last, same).encode())
