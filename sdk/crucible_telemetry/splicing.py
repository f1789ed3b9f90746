"""The bytes of a batch's span: those that its whole epoch has in common, and those between them.

What a reader could not guess: the fields stand in the order of their numbers, as the official
encoder writes them, so that its bytes and ours are the same. A measurement is most often a double,
and a training logs the same names at each step, so a row of doubles is written in one call.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from crucible_schema import MEASUREMENT_PREFIX
from crucible_schema import events as names
from crucible_telemetry import values
from crucible_telemetry.values import Number

# Number and wire type of a field, as protobuf writes them before it; lengths where they are fixed.
SPAN_ID: Final = b"\x12\x08"
START: Final = b"\x39"
_END: Final = b"\x41"
_SPAN: Final = b"\x12"  # in its scope's list
_ATTRIBUTE: Final = b"\x4a"
_KEY: Final = b"\x0a"
_VALUE: Final = b"\x12"
_DOUBLE: Final = b"\x21"
_INT: Final = b"\x18"

_UINT64 = 2**64 - 1
_VARINT_BYTES_MAX = 10
_MEASUREMENT_NAME_BYTES_MAX = 200
_CACHE_MAX = 10_000  # a program that makes names up must not fill memory
_LAYOUTS_MAX = 1_000

_double = struct.Struct("<d").pack
_start_and_end = struct.Struct("<QcQ").pack


class Frame(NamedTuple):
    """The bytes of a span around those that differ from batch to batch."""

    before_id: bytes
    before_start: bytes
    attributes: bytes
    after_attributes: bytes

    @property
    def bytes_count(self) -> int:
        """The length of a span without index, step and measurements."""
        return sum(map(len, self)) + 8 + len(_start_and_end(0, _END, 0))


def append_span(
    pieces: list[bytes],
    frame: Frame,
    frame_bytes: int,
    span_id: int,
    start_ns: int,
    end_ns: int,
    index: int,
    step: int,
    measurements: Mapping[str, Number],
) -> int:
    """Append a batch's span, as a field of its scope's list, in pieces; return how many bytes."""
    index_number, step_number = varint(index & _UINT64), varint(step & _UINT64)
    index_key, step_key = _INDEX[len(index_number)], _STEP[len(step_number)]
    measured = _measured(measurements)
    length = (
        frame_bytes
        + len(index_key)
        + len(index_number)
        + len(step_key)
        + len(step_number)
        + len(measured)
    )
    header = _SPAN + varint(length)
    pieces += (
        header,
        frame.before_id,
        span_id.to_bytes(8, "big"),
        frame.before_start,
        _start_and_end(start_ns, _END, end_ns),
        frame.attributes,
        index_key,
        index_number,
        step_key,
        step_number,
        measured,
        frame.after_attributes,
    )
    return len(header) + length


def measurement_key(name: str) -> str:
    """Return the attribute key of a measurement; a name of more than 200 bytes is cut."""
    key = _measurement_keys.get(name)
    if key is None:
        key = MEASUREMENT_PREFIX + values.bounded_id(name, _MEASUREMENT_NAME_BYTES_MAX)
        if len(_measurement_keys) < _CACHE_MAX:
            _measurement_keys[name] = key
    return key


_measurement_keys: dict[str, str] = {}


def delimited(tag: bytes, body: bytes) -> bytes:
    """Return a field that holds bytes: a text or a message."""
    return tag + varint(len(body)) + body


def varint(value: int) -> bytes:
    """Return a number of at least 0 as protobuf's varint."""
    if value < 128:
        return _ONE_BYTE[value]
    if value < 16_384:
        return bytes((value & 127 | 128, value >> 7))
    if value < 2_097_152:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_ONE_BYTE = [bytes((value,)) for value in range(128)]


def _measured(measurements: Mapping[str, Number]) -> bytes:
    for number in measurements.values():
        if type(number) is not float:
            return b"".join(map(_attribute, measurements, measurements.values()))
    row = tuple(measurements)
    return (_layouts.get(row) or _made_layout(row)).filled(measurements)


class _Layout:
    """Doubles of the same names, one after the other."""

    __slots__ = ("_blank", "_pack")

    def __init__(self, row: tuple[str, ...]) -> None:
        starts = [_before_number(measurement_key(name), 8, _DOUBLE) for name in row]
        self._blank: list[Any] = [part for start in starts for part in (start, 0.0)]
        self._pack = struct.Struct("<" + "".join(f"{len(start)}sd" for start in starts)).pack

    def filled(self, measurements: Mapping[str, Number]) -> bytes:
        parts = self._blank.copy()
        parts[1::2] = measurements.values()
        return self._pack(*parts)


_layouts: dict[tuple[str, ...], _Layout] = {}


def _made_layout(row: tuple[str, ...]) -> _Layout:
    layout = _Layout(row)
    if len(_layouts) < _LAYOUTS_MAX:
        _layouts[row] = layout
    return layout


def _attribute(name: str, number: Number) -> bytes:
    double_start, int_starts = _starts.get(name) or _made_starts(name)
    if type(number) is float:
        return double_start + _double(number)
    encoded = varint(int(number) & _UINT64)
    return int_starts[len(encoded)] + encoded


# By name: what stands before a double, and before an int by the bytes that it takes.
_starts: dict[str, tuple[bytes, list[bytes]]] = {}


def _made_starts(name: str) -> tuple[bytes, list[bytes]]:
    key = measurement_key(name)
    made = _before_number(key, 8, _DOUBLE), _int_starts(key)
    if len(_starts) < _LAYOUTS_MAX:
        _starts[name] = made
    return made


def _int_starts(key: str) -> list[bytes]:
    return [_before_number(key, size, _INT) for size in range(_VARINT_BYTES_MAX + 1)]


def _before_number(key: str, number_bytes: int, tag: bytes) -> bytes:
    """Return what stands in an attribute before the bytes of its number."""
    start = delimited(_KEY, key.encode()) + _VALUE + varint(len(tag) + number_bytes) + tag
    return _ATTRIBUTE + varint(len(start) + number_bytes) + start


_INDEX, _STEP = _int_starts(names.BATCH_INDEX), _int_starts(names.STEP)
