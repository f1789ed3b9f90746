"""What is asked for, as the API takes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import httpx

Value: TypeAlias = str | float | dt.datetime | None
Values: TypeAlias = Value | Iterable[str]


def parameters(given: Mapping[str, Values]) -> httpx.QueryParams:
    """Names and texts; None is left out, a list is its items, and a `_` at a name's end is not part of it.

    ValueError for a time without a zone.
    """
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in given.items():
        several = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
        pairs += [(name.rstrip("_"), text_of(name, each)) for each in several if each is not None]
    return httpx.QueryParams(pairs)


def text_of(name: str, value: Value) -> str:
    """As it stands in a question. ValueError for a time without a zone."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name.rstrip('_')} = {value}: expected a time with its zone")
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def whole(values: str | Iterable[str] | None) -> list[str] | None:
    """Texts in which a comma stands for itself, for parameters that are lists."""
    if values is None:
        return None
    several = [values] if isinstance(values, str) else values
    return [each.replace(",", "\\,") for each in several]
