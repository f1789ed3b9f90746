"""How each scalar of OTLP/JSON becomes its protobuf wire form.

What a reader could not guess: an id that is not hex becomes one of an impossible length, so that the
check refuses its record and not the request. Everything else that is no value of its type raises.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

_UNREADABLE_ID = b"\xff"
_DECIMAL = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")
_SHOWN_CHARACTERS_MAX = 40

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5

# A value of the JSON and the depth of its message in; its wire form out, without tag. None: nothing
# is to be written.
Encode = Callable[[Any, int], bytes | None]


class InvalidValueError(Exception):
    """What is wrong with a value; the way to it is put together while unwinding."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path = ""


def shown(value: Any) -> str:
    """Enough of a value to recognise it in a message."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else text[:_SHOWN_CHARACTERS_MAX] + "…"


def varint(number: int) -> bytes:
    """Any integer from -2^63 to 2^64-1, negative ones in two's complement."""
    number &= (1 << 64) - 1
    wire = bytearray()
    while number > 0x7F:
        wire.append(number & 0x7F | 0x80)
        number >>= 7
    wire.append(number)
    return bytes(wire)


_LENGTHS = tuple(varint(length) for length in range(128))  # nearly all of them; a tenth of the time


def delimited(content: bytes) -> bytes:
    length = len(content)
    return (_LENGTHS[length] if length < len(_LENGTHS) else varint(length)) + content


def _text(value: Any, _depth: int) -> bytes:
    if not isinstance(value, str):
        raise InvalidValueError(f"{shown(value)} is not a string")
    try:
        return delimited(value.encode())
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write and UTF-8 cannot
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return delimited(whole.encode())


def _base64(value: Any, _depth: int) -> bytes:
    if not isinstance(value, str):
        raise InvalidValueError(f"{shown(value)} is not a base64 string")
    digits = value.translate(_URL_SAFE).rstrip("=")
    try:
        content = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidValueError(f"{shown(value)} is not base64") from None
    return delimited(content)


def hex_id(value: Any, _depth: int) -> bytes:
    if not isinstance(value, str):
        raise InvalidValueError(f"{shown(value)} is not a hex string")
    try:
        content = bytes.fromhex(value)
    except ValueError:
        content = _UNREADABLE_ID
    if len(content) * 2 != len(value):  # fromhex skips white space
        content = _UNREADABLE_ID
    return delimited(content)


def _integer(value: Any, low: int, high: int) -> int:
    number: int | None = None
    if type(value) is int:
        number = value
    elif (isinstance(value, str) and _DECIMAL.fullmatch(value)) or (
        isinstance(value, float) and value.is_integer()
    ):
        number = int(value)
    if number is None or not low <= number <= high:
        raise InvalidValueError(f"{shown(value)} is not an integer from {low} to {high}")
    return number


def _integers(low: int, high: int, write: Callable[[int], bytes]) -> Encode:
    return lambda value, _depth: write(_integer(value, low, high))


def _zigzag(number: int) -> bytes:
    return varint(number << 1 ^ number >> 63)


def _double(value: Any, _depth: int) -> bytes:
    number: float | None = None
    if isinstance(value, float):
        number = value
    elif type(value) is int or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        number = float(str(value))  # by way of text, since float() of a huge integer raises
    elif value in ("NaN", "Infinity", "-Infinity"):
        number = float(value)
    if number is None:
        raise InvalidValueError(f"{shown(value)} is not a number")
    return struct.pack("<d", number)


def _boolean(value: Any, _depth: int) -> bytes:
    if not isinstance(value, bool):
        raise InvalidValueError(f"{shown(value)} is neither true nor false")
    return b"\1" if value else b"\0"


def enumeration(kind: EnumDescriptor) -> Encode:
    numbers = {name: varint(member.number) for name, member in kind.values_by_name.items()}

    def encode(value: Any, _depth: int) -> bytes | None:
        if isinstance(value, str) and not _DECIMAL.fullmatch(value):
            return numbers.get(value)  # a name newer than ours is left out, as an unknown field is
        return varint(_integer(value, -(1 << 31), (1 << 31) - 1))

    return encode


_F = FieldDescriptor

# The wire type of each scalar, and how it is written.
SCALARS: dict[int, tuple[int, Encode]] = {
    _F.TYPE_STRING: (DELIMITED, _text),
    _F.TYPE_BYTES: (DELIMITED, _base64),
    _F.TYPE_BOOL: (VARINT, _boolean),
    _F.TYPE_DOUBLE: (FIXED64, _double),
    _F.TYPE_INT32: (VARINT, _integers(-(1 << 31), (1 << 31) - 1, varint)),
    _F.TYPE_SINT32: (VARINT, _integers(-(1 << 31), (1 << 31) - 1, _zigzag)),
    _F.TYPE_UINT32: (VARINT, _integers(0, (1 << 32) - 1, varint)),
    _F.TYPE_FIXED32: (FIXED32, _integers(0, (1 << 32) - 1, struct.Struct("<I").pack)),
    _F.TYPE_INT64: (VARINT, _integers(-(1 << 63), (1 << 63) - 1, varint)),
    _F.TYPE_UINT64: (VARINT, _integers(0, (1 << 64) - 1, varint)),
    _F.TYPE_FIXED64: (FIXED64, _integers(0, (1 << 64) - 1, struct.Struct("<Q").pack)),
    _F.TYPE_SFIXED64: (FIXED64, _integers(-(1 << 63), (1 << 63) - 1, struct.Struct("<q").pack)),
}
