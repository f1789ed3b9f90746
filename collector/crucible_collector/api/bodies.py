"""What is sent to be looked at, not kept: a JSON object of some kilobytes in a request's body."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from crucible_collector.errors import MalformedError, TooLargeError

# A hundred sampling rules with a thousand names each.
BODY_BYTES_MAX = 1024 * 1024


async def json_object(request: Request) -> dict[str, Any]:
    """The object that the body is. Raises RefusedError, or HTTPException for another content type."""
    # Also what keeps other sites' pages out: without asking first, browsers send no JSON.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json"
        )
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise TooLargeError(f"the body is larger than {BODY_BYTES_MAX} bytes")
    try:
        found = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise MalformedError("the body is not a JSON object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"there is no {constant} in JSON")
