"""Random OTLP requests and random damage to them, from one source of randomness.

`random_request` fills any message by its descriptor, so a field that OTLP gains is in the tests at
once. The values are those that go wrong: extremes, bytes that are no text, keys that mean
something to the decoder.
"""

from __future__ import annotations

import math
import random
import struct
from typing import Any

from crucible_collector.batch import SLOT_KEYS, Signal
from crucible_collector.decode import official

KEYS = [
    *(key.encode() for key in SLOT_KEYS),
    b"crucible.measurement.loss",
    b"crucible.measurement.optim/entropy",
    b"crucible.measurement.",
    b"megatron.training.loss",
    b"nv.dl.training.",
    b"nv.dl.trainings",
    b"crucible.run.iD",
    b"host.name",
    b"$double",
    b"$",
    b"",
    b"a\x00b",
    b"\xff\xfe",
    "späť".encode(),
]
TEXTS = [
    b"",
    b"plain",
    b"run-1",
    b'quote " backslash \\ slash /',
    b"\x00\x01\x1f\x7f\b\f\n\r\t",
    "é ☃ 𝄞 \u2028".encode(),
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9d\x84",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf4\x90\x80\x80",
    b"x" * 300,
]
INTEGERS = [0, 1, -1, 127, 128, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63)]
DOUBLES = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    1e15,
    1e16,
    1.2345678901234567e22,
    1.7976931348623157e308,
    5e-324,
    2.2250738585072014e-308,
    1e-5,
    1e-6,
    1e-7,
    -3.25e-9,
    math.inf,
    -math.inf,
    math.nan,
]
_NEST_MAX = 9  # messages inside one another, in what is generated


def random_request(signal: Signal, rng: random.Random) -> Any:
    """Return a request message of the official parser."""
    message = official.REQUEST[signal]()
    while True:
        _fill(message, rng, 0)
        if message.ByteSize() or rng.random() < 0.1:
            return message


def _fill(message: Any, rng: random.Random, depth: int) -> None:
    chosen_of: dict[str, str] = {}
    for oneof in message.DESCRIPTOR.oneofs:
        chosen_of[oneof.name] = rng.choice(oneof.fields).name
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and chosen_of[oneof.name] != field.name:
            continue
        if rng.random() < (0.15 if depth > 2 else 0.1):
            continue
        if field.message_type is not None:
            _fill_messages(message, field, rng, depth)
        elif field.is_repeated:
            getattr(message, field.name).extend(
                _scalar(field, rng) for _ in range(rng.choice([0, 1, 3]))
            )
        else:
            setattr(message, field.name, _scalar(field, rng))


def _fill_messages(message: Any, field: Any, rng: random.Random, depth: int) -> None:
    if depth >= _NEST_MAX:
        return
    if not field.is_repeated:
        inside = getattr(message, field.name)
        inside.SetInParent()
        _fill(inside, rng, depth + 1)
        return
    for _ in range(rng.choice([0, 1, 1, 2] if depth else [1, 1, 2])):
        _fill(getattr(message, field.name).add(), rng, depth + 1)


def _scalar(field: Any, rng: random.Random) -> Any:  # noqa: PLR0911 - one a type
    if field.type == field.TYPE_BYTES:
        return _bytes(field.name, rng)
    if field.type == field.TYPE_DOUBLE:
        if rng.random() < 0.3:
            return struct.unpack("<d", rng.randbytes(8))[0]
        return rng.choice(DOUBLES)
    if field.type == field.TYPE_BOOL:
        return rng.random() < 0.5
    value = rng.choice(INTEGERS)
    if field.type in (field.TYPE_UINT64, field.TYPE_FIXED64):
        return value & 2**64 - 1
    if field.type in (field.TYPE_UINT32, field.TYPE_FIXED32):
        return value & 2**32 - 1
    if field.type in (field.TYPE_INT64, field.TYPE_SFIXED64):
        return value
    return (value + 2**31) % 2**32 - 2**31


def _bytes(name: str, rng: random.Random) -> bytes:
    if name.endswith("trace_id"):
        return rng.randbytes(rng.choice([16, 16, 16, 0, 15]))
    if name.endswith("span_id"):
        return rng.randbytes(rng.choice([8, 8, 8, 0, 9]))
    if name == "key":
        return rng.choice(KEYS)
    if name == "bytes_value":
        return rng.randbytes(rng.randrange(8))
    return rng.choice(TEXTS)


# --- damage ---------------------------------------------------------------------------------------


def damaged(body: bytes, rng: random.Random) -> bytes:
    """Return `body` changed somewhere: in its structure, lengths kept right, or in its bytes."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        body = _restructured(body, rng) if rng.random() < 0.6 else _scrambled(body, rng)
    return body


def _scrambled(body: bytes, rng: random.Random) -> bytes:
    at, to = sorted(rng.randrange(len(body) + 1) for _ in range(2))
    action = rng.randrange(6)
    if action == 0 and at < len(body):
        return body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :]
    if action == 1:
        return body[:at] + rng.randbytes(rng.randrange(1, 5)) + body[at:]
    if action == 2:
        return body[:at] + body[min(to, at + 4) :]
    if action == 3:
        return body[:to] + body[at:to] + body[to:]
    if action == 4:
        return body[:at]
    return body[:at] + b"\xff" * rng.randrange(1, 11) + body[at:]


def varint(value: int, padding: int = 0) -> bytes:
    """Encode an integer; `padding` appends bytes that do not change it."""
    value &= 2**64 - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def field(number: int, wire: int, content: bytes, padding: int = 0) -> bytes:
    """Encode one field; `padding` makes its tag longer than needed."""
    tag = varint(number << 3 | wire, padding)
    return tag + (varint(len(content)) + content if wire == 2 else content)


def _fields(body: bytes) -> list[tuple[int, int, bytes]] | None:
    """Split a message into (number, wire type, content), None if it is none."""
    at, fields = 0, []
    try:
        while at < len(body):
            tag, at = _read_varint(body, at)
            wire = tag & 7
            if wire == 0:
                start = at
                _, at = _read_varint(body, at)
                content = body[start:at]
            else:
                size, at = _read_varint(body, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
                content, at = body[at : at + size], at + size
            if at > len(body) or tag >> 3 == 0:
                return None
            fields.append((tag >> 3, wire, content))
    except (IndexError, KeyError):
        return None
    return fields


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (body[at] & 0x7F) << shift
        at += 1
        if body[at - 1] < 0x80:
            return value, at
        shift += 7


def _restructured(body: bytes, rng: random.Random) -> bytes:
    """Change one field of one message, and write every length around it anew."""
    fields = _fields(body)
    if not fields:
        return body + _stranger(rng)
    index = rng.randrange(len(fields))
    number, wire, content = fields[index]
    if wire == 2 and _fields(content) and rng.random() < 0.75:
        encoded = [field(number, wire, _restructured(content, rng))]
    else:
        encoded = _changed(number, wire, content, rng)
    before = [field(*other) for other in fields[:index]]
    after = [field(*other) for other in fields[index + 1 :]]
    if rng.random() < 0.1:
        rng.shuffle(before)
    return b"".join(before + encoded + after)


def _changed(  # noqa: PLR0911 - one an action
    number: int, wire: int, content: bytes, rng: random.Random
) -> list[bytes]:
    one = field(number, wire, content)
    action = rng.randrange(8)
    if action == 0:
        return [one, one]
    if action == 1:
        return []
    if action == 2:
        return [_stranger(rng), one]
    if action == 3:
        return [one, field(number, rng.choice([0, 1, 2, 5]), b"\x05" * rng.choice([1, 4, 8]))]
    if action == 4 and wire == 0:
        return [field(number, 0, varint(_read_varint(content, 0)[0], rng.randrange(1, 4)))]
    if action == 5 and wire == 2 and len(content) % 8 == 0:
        return [field(number, 1, content[at : at + 8]) for at in range(0, len(content), 8)]
    if action == 6 and wire == 2:
        half = len(content) // 2
        return [field(number, 2, content[:half]), field(number, 2, content[half:])]
    return [field(number, wire, content, padding=rng.randrange(0, 3))]


def _stranger(rng: random.Random) -> bytes:
    """Return a field that OTLP may or may not have."""
    number = rng.choice([1, 2, 3, 5, 9, 15, 16, 17, 31, 2047, 2048, 2**29 - 1])
    wire = rng.choice([0, 1, 2, 3, 5])
    if wire == 3:
        return field(number, 3, b"") + field(number, 4, b"")
    content = {0: varint(rng.choice(INTEGERS)), 1: b"12345678", 2: b"\x08\x01", 5: b"1234"}[wire]
    return field(number, wire, content)
