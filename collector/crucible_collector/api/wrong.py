"""What is wrong with a body, in one sentence; light, for commands take the same bodies."""

from __future__ import annotations

from pydantic import ValidationError


def first_wrong(error: ValidationError) -> str:
    """The first thing that is wrong, with its key."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such key"
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {message[:1].lower()}{message[1:]}" if place else message
