"""Turns what users hand over into what OTLP can carry: numbers, texts within limits, JSON.

What a reader could not guess: `float("1.5")` is a number to Python but not to us, NaN and the
infinities are numbers and are sent, and a numpy or torch scalar on an accelerator is copied to the
host here, which waits for the device.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

Number = int | float
AttributeValue = (
    str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]
)

ID_BYTES_MAX = 256  # what the collector lets into an indexed column
CORRELATION_ID_CHARACTERS_MAX = 128
TEXT_BYTES_MAX = 1024  # what the collector lets into a column that is grouped by
HYPOTHESIS_BYTES_MAX = 8192
JSON_CHARACTERS_MAX = 65_536
_JSON_DEPTH_MAX = 8
_INT_MAX = 2**63 - 1


def number(value: Any) -> Number | None:
    """Return the int or float that a value is, or None where it is no number.

    Accepts whatever has `__index__` or `__float__`: bool, numpy and torch scalars, Decimal. An int
    beyond 64 bits becomes a float.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if isinstance(value, str | bytes | bytearray) or value is None:
        return None
    try:
        # Scalars of numpy and torch: 0.3 µs, where asking a tensor for an index takes 4.5. And
        # torch warns where a loss that still has its graph is converted in any other way.
        item = getattr(value, "item", None)
        if item is not None:
            value = item()
            if type(value) is float:
                return value
        whole = operator.index(value)
    except Exception:  # noqa: BLE001 - as below
        return _real(value)
    return whole if -_INT_MAX - 1 <= whole <= _INT_MAX else _real(whole)


def _real(value: Any) -> float | None:
    try:
        return float(value)
    except Exception:  # noqa: BLE001 - whatever a foreign type raises says that it is no number
        return None


def whole(value: Any) -> int:
    """Return the int that a count is; 0 for what is none, and for what 64 bits do not hold."""
    as_number = number(value)
    if as_number is None or not math.isfinite(as_number):
        return 0
    counted = int(as_number)
    return counted if -_INT_MAX - 1 <= counted <= _INT_MAX else 0


def bounded_id(value: object, bytes_max: int = ID_BYTES_MAX) -> str:
    """Return a text of at most `bytes_max` bytes; a longer one keeps its beginning and a digest.

    The digest keeps two long ids apart that begin alike; the same id is cut the same way every time.
    """
    text = str(value)
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return encoded.decode("utf-8")
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return encoded[: bytes_max - 17].decode("utf-8", "ignore") + "-" + digest


def bounded_correlation_id(value: object) -> str:
    """Return an id of at most 128 characters that fits its column in any alphabet."""
    text = str(value)
    if len(text) > CORRELATION_ID_CHARACTERS_MAX:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
        text = f"{text[: CORRELATION_ID_CHARACTERS_MAX - 17]}-{digest}"
    return bounded_id(text)


def bounded_text(value: object, bytes_max: int = TEXT_BYTES_MAX) -> str:
    """Return a text of at most `bytes_max` bytes; a longer one ends in an ellipsis."""
    encoded = str(value).encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return encoded.decode("utf-8")
    return encoded[: max(0, bytes_max - 3)].decode("utf-8", "ignore") + "…"


def encodable(text: str) -> str:
    """Return a text as UTF-8 can carry it: lone surrogates become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def texts(given: Any) -> list[str]:
    """Return the texts of an iterable, or of one text; none of what is no iterable."""
    if isinstance(given, str):
        return [given]
    return [str(each) for each in given] if isinstance(given, Iterable) else []


def attribute(value: Any) -> AttributeValue | None:
    """Return a value as OTLP's attributes carry it; None where there is nothing to carry."""
    if value is None:
        return None
    if isinstance(value, bool | float):
        return value
    if isinstance(value, str | os.PathLike):
        return bounded_text(os.fsdecode(value))
    if isinstance(value, list | tuple | AbstractSet) and all(
        isinstance(item, str) for item in value
    ):
        return [
            bounded_text(item)
            for item in (sorted(value) if isinstance(value, AbstractSet) else value)
        ]
    as_number = number(value)
    if as_number is not None:
        return as_number
    return json_text(value) if _is_structure(value) else bounded_text(value)


def json_text(value: Any) -> str | None:
    """Return a value as JSON, or None where that would be over the limit: half of it is no JSON.

    Takes mappings, dataclasses, argparse namespaces and sequences; NaN and the infinities become
    the strings "NaN", "Infinity" and "-Infinity", and what JSON does not know its `repr`.
    """
    text = json.dumps(_plain(value, 0), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text if len(text) <= JSON_CHARACTERS_MAX else None


def _is_structure(value: Any) -> bool:
    return isinstance(value, Mapping | AbstractSet | argparse.Namespace | list | tuple) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | os.PathLike):
        return bounded_text(os.fsdecode(value), JSON_CHARACTERS_MAX)
    if depth < _JSON_DEPTH_MAX and _is_structure(value):
        return _plain_structure(value, depth + 1)
    as_number = number(value)
    if as_number is None:
        return bounded_text(repr(value))
    if isinstance(as_number, float) and not math.isfinite(as_number):
        return "NaN" if math.isnan(as_number) else "Infinity" if as_number > 0 else "-Infinity"
    return as_number


def _plain_structure(value: Any, depth: int) -> Any:
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    elif not isinstance(value, Mapping | AbstractSet | list | tuple):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {bounded_text(key): _plain(item, depth) for key, item in value.items()}
    return [_plain(item, depth) for item in value]
