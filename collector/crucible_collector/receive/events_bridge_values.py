"""Values of the bridge's JSON as OTLP has them: attributes, times, durations.

What a reader could not guess: there is no value that cannot be stored. What OTLP has no form for (a
map, a list of several types, an integer beyond 64 bits) becomes text, and half a surrogate pair, which
JSON can write and UTF-8 cannot, becomes U+FFFD.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
import re
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from crucible_schema import ATTRIBUTES, MEASUREMENTS, AttributeType

INT64_MAX = (1 << 63) - 1
_INT64_MIN = -(1 << 63)
_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
_DECIMAL = re.compile(r"-?[0-9]{1,19}", re.ASCII)
# Below each of these a time since 1970 is in that unit: seconds until the year 5138, milliseconds
# from 1973 on, and so forth. The family writes microseconds.
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
_WORDS = {"nan": math.nan, "infinity": math.inf, "-infinity": -math.inf}
_FLAGS: dict[Any, bool] = {0: False, 1: True, "true": True, "false": False}


class EventError(Exception):
    """One event is refused: a `code` for programs, and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any) -> float | None:
    """The number, also where JSON had to write it as a word; None where it is none."""
    if is_number(value):
        found: float = _double(value) if abs(value) > INT64_MAX else value
        return found
    return _WORDS.get(value.lower()) if isinstance(value, str) else None


def text(value: Any) -> str:
    """The text of a value: its own, or its JSON."""
    found = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        found.encode()
    except UnicodeEncodeError:
        return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return found


def fill(into: AnyValue, value: Any) -> None:
    """Set an attribute's value."""
    if isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int) and _INT64_MIN <= value <= INT64_MAX:
        into.int_value = value
    elif isinstance(value, float):
        into.double_value = value
    elif isinstance(value, list) and all(_is_plain(each, type(value[0])) for each in value):
        for each in value:
            fill(into.array_value.values.add(), each)
        if not value:
            into.array_value.SetInParent()
    else:
        into.string_value = text(value)


def _is_plain(value: Any, kind: type) -> bool:
    return isinstance(value, str | bool | int | float) and type(value) is kind


def typed(key: str, value: Any) -> Any:
    """The value in the type that the registry gives the key, where it can be; else as it is."""
    kind = _types().get(key)
    convert = _CONVERSIONS.get(kind) if kind is not None else None
    return value if convert is None else convert(value)


@functools.cache
def _types() -> dict[str, AttributeType]:
    attributes = {key: definition.type for key, definition in ATTRIBUTES.items()}
    return attributes | {each.key: each.type for each in MEASUREMENTS.values()}


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        return _FLAGS.get(value.lower(), value)
    return _FLAGS.get(value, value) if isinstance(value, int) else value


def _texts(value: Any) -> list[str]:
    return [text(each) for each in (value if isinstance(value, list) else [value])]


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= INT64_MAX:
        return int(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return int(value)
    return int(value) if isinstance(value, bool) else value


def _double(value: Any) -> Any:
    if not is_number(value):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


_CONVERSIONS: dict[AttributeType, Callable[[Any], Any]] = {
    AttributeType.STRING: text,
    AttributeType.INT: _whole,
    AttributeType.DOUBLE: _double,
    AttributeType.BOOLEAN: _flag,
    AttributeType.STRINGS: _texts,
}


def time_ns(value: Any) -> int:
    """Nanoseconds since 1970: of a number by its magnitude, or of ISO 8601. Raises EventError."""
    if isinstance(value, str):
        return _iso_ns(value)
    if not is_number(value) or not 0 < value <= INT64_MAX:  # true for NaN
        raise EventError("invalid_timestamp", f"timestamp: {_shown(value)} is no time")
    scale = next((scale for below, scale in _UNITS if value < below), 1)
    found = value * scale if isinstance(value, int) else round(value * scale)
    if found > INT64_MAX:
        raise EventError("invalid_timestamp", f"timestamp: {_shown(value)} is beyond all times")
    return int(found)


def _iso_ns(value: str) -> int:
    if _DECIMAL.fullmatch(value):
        return time_ns(int(value))
    try:
        parsed = dt.datetime.fromisoformat(value)
        # Elixir's NaiveDateTime and Python's utcnow() say no zone and mean UTC.
        since = parsed.replace(tzinfo=parsed.tzinfo or dt.UTC) - _EPOCH
    except (ValueError, OverflowError):
        raise EventError("invalid_timestamp", f"timestamp: {_shown(value)} is no time") from None
    found = (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    if not 0 < found <= INT64_MAX:
        raise EventError("invalid_timestamp", f"timestamp: {_shown(value)} is no time since 1970")
    return found


def duration_ns(field: str, value: Any, scale_ns: float) -> int:
    """A length in the producer's unit as nanoseconds. Raises EventError."""
    if is_number(value) and 0 <= value <= INT64_MAX:  # false for NaN
        found = value * int(scale_ns) if isinstance(value, int) else round(value * scale_ns)
        if found <= INT64_MAX:
            return int(found)
    raise EventError("invalid_duration", f"{field}: {_shown(value)} is no duration")


def _shown(value: Any) -> str:
    shown = text(value)
    return shown if len(shown) <= 40 else shown[:40] + "…"
