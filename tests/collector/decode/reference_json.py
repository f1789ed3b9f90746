"""Values as JSON, the slow and obvious way: by Python's json, decimal and codecs."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from crucible_collector.batch import AttributeKind

_KINDS = {
    None: AttributeKind.EMPTY,
    "string_value": AttributeKind.STRING,
    "bool_value": AttributeKind.BOOL,
    "int_value": AttributeKind.INT,
    "double_value": AttributeKind.DOUBLE,
    "array_value": AttributeKind.ARRAY,
    "kvlist_value": AttributeKind.KVLIST,
    "bytes_value": AttributeKind.BYTES,
}


def kind_of(value: Any) -> AttributeKind:
    return _KINDS[value.WhichOneof("value")]


def text_json(content: bytes) -> str:
    text = content.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return json.dumps(text, ensure_ascii=False)


def double_json(value: float) -> str:
    if not math.isfinite(value):
        word = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return f'{{"$double":"{word}"}}'
    if value == 0 and math.copysign(1, value) < 0:
        return '{"$double":"-0.0"}'
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    number = Decimal(repr(value))
    if value == 0 or abs(value) >= 1e-6:
        text = format(number, "f")
        return text if "." in text else text + ".0"
    figures = "".join(map(str, digits)).rstrip("0")
    exponent += len(digits) - 1
    point = "." if len(figures) > 1 else ""
    return f"{'-' * sign}{figures[0]}{point}{figures[1:]}e{exponent}"


def value_json(value: Any) -> str:  # noqa: PLR0911 - one a kind
    kind = kind_of(value)
    if kind == AttributeKind.STRING:
        return text_json(value.string_value)
    if kind == AttributeKind.BOOL:
        return "true" if value.bool_value else "false"
    if kind == AttributeKind.INT:
        return str(value.int_value)
    if kind == AttributeKind.DOUBLE:
        return double_json(value.double_value)
    if kind == AttributeKind.BYTES:
        return f'{{"$bytes":"{base64.b64encode(value.bytes_value).decode()}"}}'
    if kind == AttributeKind.ARRAY:
        return f"[{','.join(map(value_json, value.array_value.values))}]"
    if kind == AttributeKind.KVLIST:
        pairs = value.kvlist_value.values
        text = pairs_json(pairs)
        wrapped = any(pair.key.startswith(b"$") for pair in pairs)
        return f'{{"$kvlist":{text}}}' if wrapped else text
    return "null"


def pairs_json(pairs: Sequence[Any]) -> str:
    return f"{{{','.join(f'{text_json(p.key)}:{value_json(p.value)}' for p in pairs)}}}"


def _object(members: list[tuple[str, str | None]]) -> str:
    return f"{{{','.join(f'{json.dumps(key)}:{text}' for key, text in members if text)}}}"


def _attributes_member(pairs: Sequence[Any]) -> tuple[str, str | None]:
    return "attributes", pairs_json(pairs) if pairs else None


def _number(name: str, value: int) -> tuple[str, str | None]:
    return name, str(value) if value else None


def _text(name: str, value: bytes) -> tuple[str, str | None]:
    return name, text_json(value) if value else None


def _hex(name: str, value: bytes) -> tuple[str, str | None]:
    return name, f'"{value.hex()}"' if value else None


def event_json(event: Any) -> str:
    return _object(
        [
            _number("time_ns", event.time_unix_nano),
            _text("name", event.name),
            _number("dropped_attributes_count", event.dropped_attributes_count),
            _attributes_member(event.attributes),
        ]
    )


def link_json(link: Any) -> str:
    return _object(
        [
            _hex("trace_id", link.trace_id),
            _hex("span_id", link.span_id),
            _text("trace_state", link.trace_state),
            _number("flags", link.flags),
            _number("dropped_attributes_count", link.dropped_attributes_count),
            _attributes_member(link.attributes),
        ]
    )


def exemplar_json(exemplar: Any) -> str:
    which = exemplar.WhichOneof("value")
    value = None
    if which == "as_int":
        value = str(exemplar.as_int)
    elif which == "as_double":
        value = double_json(exemplar.as_double)
    return _object(
        [
            _number("time_ns", exemplar.time_unix_nano),
            ("value", value),
            _hex("trace_id", exemplar.trace_id),
            _hex("span_id", exemplar.span_id),
            _attributes_member(exemplar.filtered_attributes),
        ]
    )


def array_json(items: list[str]) -> str | None:
    return f"[{','.join(items)}]" if items else None
