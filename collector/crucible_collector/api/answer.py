"""Answers put together from rows that are JSON text already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi.responses import Response

from crucible_collector.api.failures import NotFoundError
from crucible_collector.api.paging import Cursor, Cut, KeyOf, cut

# A live page must not be shown from a cache; nothing here is the same a second later.
_HEADERS = {"Cache-Control": "no-store"}


def listed(rows: list[str], limit: int, key_of: KeyOf, before: Cursor | None) -> Response:
    """One page of a list. `rows` may hold one more than `limit`, which tells that there is more."""
    return cut_out(cut(rows, limit, key_of, before), limit)


def cut_out(page: Cut, limit: int, **further: Any) -> Response:
    """One page that is cut already; `further` is what else its meta says."""
    meta = {
        "limit": limit,
        "has_more": page.next_cursor is not None,
        "next_cursor": page.next_cursor,
        **further,
    }
    return _answer(f"[{','.join(page.rows)}]", meta)


def only(rows: Sequence[str], kind: str, name: str) -> Response:
    """The single row, or 404."""
    return _answer(single(rows, kind, name), {})


def rows_of(rows: Sequence[str], **meta: Any) -> Response:
    """All there is, where that is never much; `meta` is what else there is to say."""
    return _answer(f"[{','.join(rows)}]", meta)


def single(rows: Sequence[str], kind: str, name: str) -> str:
    """The single row's text; NotFoundError where there is none."""
    if not rows:
        raise NotFoundError(kind, name)
    return rows[0]


def whole(data: object) -> Response:
    """An answer made of Python values."""
    return _answer(compact(data), {})


def compact(value: object) -> str:
    """JSON text; NaN cannot occur, since PostgreSQL wrote what was parsed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _answer(data: str, meta: dict[str, Any]) -> Response:
    return Response(
        f'{{"data":{data},"meta":{compact(meta)}}}', headers=_HEADERS, media_type="application/json"
    )
