"""Who changed what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.access import Change
from crucible_collector.api.answer import cut_out
from crucible_collector.api.models import Page
from crucible_collector.api.paging import Cursor, CursorError, Cut, cut, decode_cursor
from crucible_collector.api.parameters import Paged
from crucible_collector.store.read import Reads


def audit_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/audit", tags=["access"])

    @router.get("", response_model=Page[Change], summary="What was changed, newest first")
    def changes(filters: Annotated[Paged, Query()]) -> Response:
        """Every change over REST and by command, for 400 days."""
        cursor = decode_cursor(filters.cursor, "audit_id")
        rows = reads.json_rows("audit", last_id=_last_id(cursor), limit=filters.limit + 1)
        page = cut(rows, filters.limit, lambda row: (str(row["audit_id"]),), None)
        return cut_out(Cut(page.rows, page.next_cursor), filters.limit)

    return router


def _last_id(cursor: Cursor | None) -> int | None:
    if cursor is None:
        return None
    text = cursor.key[0]
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 63):
        raise CursorError("not a cursor of this list")
    return int(text)
