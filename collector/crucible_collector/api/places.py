"""Where a cursor points, as parameters of the queries: for each kind of list its key.

The queries start *at* the key and skip the rows of it that were given (`paging` says why), so every
comparison in them is `<=` or `>=`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from crucible_collector.api.paging import Cursor, CursorError, Key, is_storable, time_and_rest
from crucible_collector.api.parameters import parse_id_64, parse_trace_id

T = TypeVar("T")

EVENT_KEY = ("time", "trace_id", "span_id")
SPAN_KEY = ("time", "span_id")
TIME_KEY = ("time",)
SERIES_KEY = ("metric", "series_id")
CURVE_KEY = ("time", "series_id")
GROUP = ("time", "experiment_id", "run_id", "event_name", "model", "status")


def after_event(cursor: Cursor | None) -> dict[str, Any]:
    """For lists with EVENT_KEY."""
    place = after_time(cursor)
    place["last_trace"] = _parsed(parse_trace_id, cursor.key[1]) if cursor else None
    place["last_span"] = _parsed(parse_id_64, cursor.key[2]) if cursor else None
    return place


def after_span(cursor: Cursor | None) -> dict[str, Any]:
    """For lists with SPAN_KEY."""
    last_span = _parsed(parse_id_64, cursor.key[1]) if cursor else None
    return {**after_time(cursor), "last_span": last_span}


def after_time(cursor: Cursor | None) -> dict[str, Any]:
    """For lists with TIME_KEY, or whose key begins with a time."""
    last_time, last_rest = time_and_rest(cursor.key[0]) if cursor else (None, 0)
    return {"last_time": last_time, "last_rest": last_rest, "skip": cursor.skip if cursor else 0}


def after_series(cursor: Cursor | None) -> dict[str, Any]:
    """For lists with SERIES_KEY."""
    return {
        "last_metric": cursor.key[0] if cursor else None,
        "last_series": _parsed(parse_id_64, cursor.key[1]) if cursor else None,
        "skip": cursor.skip if cursor else 0,
    }


def after_period(cursor: Cursor | None) -> dict[str, Any]:
    """For lists whose key is a time and the id of a period of anomalies."""
    last_period = _parsed(uuid.UUID, cursor.key[1]) if cursor else None
    return {**after_time(cursor), "last_period": last_period}


def after_curve_point(cursor: Cursor | None) -> dict[str, Any]:
    """For lists with CURVE_KEY."""
    last_series = _parsed(parse_id_64, cursor.key[1]) if cursor else None
    return {**after_time(cursor), "last_series": last_series}


def after_first_seen(cursor: Cursor | None) -> dict[str, Any]:
    """For lists whose key is `first_seen` and an id."""
    return {
        "last_seen": time_and_rest(cursor.key[0])[0] if cursor else None,
        "last_id": cursor.key[1] if cursor else None,
        "skip": cursor.skip if cursor else 0,
    }


def after_created(cursor: Cursor | None) -> dict[str, Any]:
    """For lists whose key is `created_at` and a UUID."""
    last_id = _parsed(uuid.UUID, cursor.key[1]) if cursor else None
    return {
        "last_created": time_and_rest(cursor.key[0])[0] if cursor else None,
        "last_id": None if last_id is None else str(last_id),
        "skip": cursor.skip if cursor else 0,
    }


def group_key(row: dict[str, Any]) -> Key:
    """What events were grouped by, as one text: parts of it may be null."""
    return (json.dumps([row[name] for name in GROUP], separators=(",", ":")),)


def after_group(cursor: Cursor | None) -> dict[str, Any]:
    """For lists whose key is `group_key`."""
    return {
        "last_key": _parsed(_group, cursor.key[0]) if cursor else None,
        "skip": cursor.skip if cursor else 0,
    }


def _group(text: str) -> list[str | None]:
    found = json.loads(text)
    if not isinstance(found, list) or len(found) != len(GROUP):
        raise ValueError("expected a list of what was grouped by")
    for part in found:
        if part is not None and not (isinstance(part, str) and is_storable(part)):
            raise ValueError("expected texts and nulls")
    return found


def _parsed(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except (ValueError, RecursionError) as error:
        raise CursorError("not a cursor of this list") from error
