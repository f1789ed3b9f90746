"""Answers put together from rows that are JSON text already, in the form that was asked for.

An answer learns from its request, as it is sent, which form that is (`accept`), which `fields` of rows are
wanted (`row_sets`) and whether the sender has it already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from crucible_collector.api import arrow, row_sets
from crucible_collector.api.accept import ARROW_STREAM, JSON, chosen, entity_tag, is_same
from crucible_collector.api.failures import NotFoundError
from crucible_collector.api.paging import Cursor, Cut, KeyOf, cut
from crucible_collector.api.row_sets import RowSet

# Nothing here is the same for long, so a cache always asks again; and what a key may see, others may not.
_ASK_AGAIN = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
_KEEP_NOT = {"Cache-Control": "no-store"}


class Answer(Response):
    """One JSON document; of a question, the sender may have it already."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it as it is wanted; 406 where it is not wanted as JSON."""
        if _asks(scope) and self.status_code == HTTPStatus.OK:
            _form(scope, (JSON,))
            known = _known(self, scope)
            if known is not None:
                await known(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


class Rows(Response):
    """A list, of which each row is the text of a JSON object."""

    def __init__(self, rows: list[str], meta: Mapping[str, Any]) -> None:
        super().__init__()
        self._rows, self._meta = rows, meta

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it as it is wanted. RequestValidationError, HTTPException before anything is sent."""
        row_set = row_sets.row_set_of(getattr(scope.get("route"), "response_model", None))
        form = _form(scope, (JSON, ARROW_STREAM) if row_set else (JSON,))
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        names = [part for key, text in query if key == "fields" for part in text.split(",") if part]
        headers = {}
        cursor = self._meta.get("next_cursor")
        if cursor is not None:
            again = [(key, text) for key, text in query if key != "cursor"]
            following = f"{scope['path']}?{urlencode([*again, ('cursor', cursor)])}"
            headers = {"Link": f'<{following}>; rel="next"', "X-Next-Cursor": cursor}
        if row_set is None or (form == JSON and not names):
            body = document(self._rows, self._meta)
        else:
            body = await run_in_threadpool(self._body, form, row_set, row_set.chosen(names))
        response = Response(body, headers=headers, media_type=form)
        await (_known(response, scope) or response)(scope, receive, send)

    def _body(self, form: str, row_set: RowSet, names: Sequence[str]) -> bytes:
        """On a thread: ten thousand points take 0.1 s."""
        if form == ARROW_STREAM:
            return arrow.stream(self._rows, row_set, names, self._meta)
        return document([row_sets.only(row, names) for row in self._rows], self._meta)


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
    return Rows(page.rows, meta)


def only(rows: Sequence[str], kind: str, name: str) -> Response:
    """The single row, or 404."""
    return _single(single(rows, kind, name))


def rows_of(rows: Sequence[str], **meta: Any) -> Response:
    """All there is, where that is never much; `meta` is what else there is to say."""
    return Rows(list(rows), meta)


def single(rows: Sequence[str], kind: str, name: str) -> str:
    """The single row's text; NotFoundError where there is none."""
    if not rows:
        raise NotFoundError(kind, name)
    return rows[0]


def whole(data: object) -> Response:
    """An answer made of Python values."""
    return _single(compact(data))


def compact(value: object) -> str:
    """JSON text; NaN cannot occur, since PostgreSQL wrote what was parsed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def document(rows: Sequence[str], meta: Mapping[str, Any]) -> bytes:
    """A list as JSON."""
    return f'{{"data":[{",".join(rows)}],"meta":{compact(meta)}}}'.encode()


def _single(data: str) -> Response:
    return Answer(f'{{"data":{data},"meta":{{}}}}', headers=_KEEP_NOT, media_type=JSON)


def _asks(scope: Scope) -> bool:
    return bool(scope["method"] == "GET")


def _form(scope: Scope, offered: Sequence[str]) -> str:
    """The form that is wanted; 406 where there is none of those."""
    form = chosen(", ".join(Headers(scope=scope).getlist("accept")), offered)
    if form is None:
        raise HTTPException(
            HTTPStatus.NOT_ACCEPTABLE, f"this can be had as {' or '.join(offered)} (Accept)"
        )
    return form


def _known(response: Response, scope: Scope) -> Response | None:
    """304 where the sender has the answer already; else the answer gets its tag."""
    tag = response.headers.get("etag")
    if tag is None:  # else a route knows better what counts as the same
        tag = entity_tag(bytes(response.body))
        response.headers.update({**_ASK_AGAIN, "ETag": tag})
    if not is_same(tag, ", ".join(Headers(scope=scope).getlist("if-none-match"))):
        return None
    kept = ("cache-control", "vary", "etag", "link", "x-next-cursor")
    told = {name: response.headers[name] for name in kept if name in response.headers}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=told)
