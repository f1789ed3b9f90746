"""What the OpenAPI page says of every question alike: which forms it is answered in, and by which headers.

Routes describe what is theirs; what `answer` and `exchange` do for all of them is put beside it here.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from crucible_collector.api.accept import ARROW_STREAM, JSON

_FAILURE = {"$ref": "#/components/schemas/Failure"}
_TEXT = {"schema": {"type": "string"}}
_ETAG = {"ETag": {"description": "Of the answer, for If-None-Match.", **_TEXT}}
_NEXT = {
    "Link": {"description": 'The next page: `<…>; rel="next"`. Absent at the end.', **_TEXT},
    "X-Next-Cursor": {"description": "`meta.next_cursor`. Absent at the end.", **_TEXT},
}
_ARROW = {"schema": {"type": "string", "format": "binary"}}
_KNOWN = {
    "description": "The answer is still what If-None-Match names.",
    "headers": _ETAG,
}
_NO_SUCH_FORM = {
    "description": "There is no form of the answer that Accept names.",
    "content": {JSON: {"schema": _FAILURE}},
}


def install(app: FastAPI) -> None:
    """Have the application describe itself so."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = describe()
            for methods in document["paths"].values():
                if "get" in methods:
                    _complete(methods["get"]["responses"], document)
        return app.openapi_schema or describe()

    app.openapi = described  # type: ignore[method-assign]


def _complete(responses: dict[str, Any], document: dict[str, Any]) -> None:
    answer = responses.get("200", {})
    schema = answer.get("content", {}).get(JSON, {}).get("schema", {})
    if "$ref" not in schema:
        return
    responses["304"], responses["406"] = _KNOWN, _NO_SUCH_FORM
    headers = answer.setdefault("headers", {})
    headers.update(_ETAG)
    if _has_rows(schema, document):
        headers.update(_NEXT)
        answer["content"][ARROW_STREAM] = _ARROW


def _has_rows(schema: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether `data` is a list of objects (see `row_sets.row_set_of`)."""
    data = _resolved(schema, document).get("properties", {}).get("data", {})
    row = _resolved(_resolved(data, document).get("items", {}), document)
    return "properties" in row


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found
