"""Attribute values as JSON: what is read back is what was sent, of the same type."""

from __future__ import annotations

import json
import math
import random
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.decode.observed import decode_bodies
from collector.decode.reference_json import double_json
from collector.decode.spans import canonical, decoded, json_of, put, span
from crucible_collector import decode
from crucible_collector.batch import AttributeKind, Signal, TextRef
from crucible_collector.decode import official


def doubles_json(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[str]:
    rows = len(values)
    nothing = TextRef(np.zeros(rows, dtype=np.int64), np.full(rows, -1, dtype=np.int32))
    kind = np.full(rows, AttributeKind.DOUBLE, dtype=np.uint8)
    texts: list[str] = decode.any_value_json(
        np.zeros(0, dtype=np.uint8), kind, values.view(np.int64), nothing
    ).to_pylist()
    return texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (-1.0, "-1.0"),
        (100.0, "100.0"),
        (0.1, "0.1"),
        (-12.75, "-12.75"),
        (1e15, "1000000000000000.0"),
        (1e16, "10000000000000000.0"),
        (1.2345678901234568e22, "12345678901234568000000.0"),
        (0.00001, "0.00001"),
        (0.000001, "0.000001"),
        (0.0000012345, "0.0000012345"),
        (1e-7, "1e-7"),
        (-1.5e-7, "-1.5e-7"),
        (5e-324, "5e-324"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (1.7976931348623157e308, "17976931348623157" + "0" * 292 + ".0"),
        (math.nan, '{"$double":"NaN"}'),
        (math.inf, '{"$double":"Infinity"}'),
        (-math.inf, '{"$double":"-Infinity"}'),
        (-0.0, '{"$double":"-0.0"}'),
    ],
)
def test_a_double_is_written_so_that_nobody_takes_it_for_an_integer(
    value: float, text: str
) -> None:
    assert json_of(value) == text
    assert double_json(value) == text


def _hard_doubles() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Random bits, numbers as people have them, and both neighbours of every power of 2 and 10."""
    rng = np.random.default_rng(7)
    bits = rng.integers(-(2**63), 2**63, 40_000, dtype=np.int64)
    powers = [2.0**k for k in range(-1074, 1024)] + [float(f"1e{k}") for k in range(-323, 309)]
    near = np.array(powers).view(np.int64)
    people = np.concatenate([rng.random(20_000), np.round(rng.random(20_000) * 1000, 3)])
    return np.concatenate([bits, near, near - 1, near + 1, people.view(np.int64)]).view(np.float64)


def test_doubles_are_shortest_and_read_back_as_they_were() -> None:
    """Python's repr is shortest and correctly rounded, too, and independent of ours."""
    values = _hard_doubles()
    values = values[np.isfinite(values) & ~((values == 0) & np.signbit(values))]
    for value, text in zip(values.tolist(), doubles_json(values), strict=True):
        assert text == double_json(value)
        assert float(text) == value


def test_doubles_stay_doubles_in_jsonb() -> None:
    """PostgreSQL's numeric keeps the scale that it is given: with none, 1 comes back for 1.0."""
    values = _hard_doubles()
    values = values[np.isfinite(values) & ~((values == 0) & np.signbit(values))]
    for text in doubles_json(values[:20_000]):
        exponent = Decimal(text).as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent < 0


@pytest.mark.parametrize("value", [0, 1, -1, 9, 10, -10, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_integers_are_exact(value: int) -> None:
    assert json_of(value) == str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ("", '""'),
        ("é", '"é"'),
        ('a"b\\c/d', '"a\\"b\\\\c/d"'),
        ("\b\f\n\r\t\x01\x1f\x7f", '"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f"'),
        ("a\0b", '"a\N{REPLACEMENT CHARACTER}b"'),
        (b"", '{"$bytes":""}'),
        (b"f", '{"$bytes":"Zg=="}'),
        (b"fo", '{"$bytes":"Zm8="}'),
        (b"foo", '{"$bytes":"Zm9v"}'),
        (b"\x00\xff\xfe\xfb", '{"$bytes":"AP/++w=="}'),
        ([], "[]"),
        ([1, None, "a", [2.0]], '[1,null,"a",[2.0]]'),
        ({}, "{}"),
        ({b"a": 1, b"": {b"b": []}}, '{"a":1,"":{"b":[]}}'),
        ({b"$double": "NaN"}, '{"$kvlist":{"$double":"NaN"}}'),
        ({b"a": {b"b": 1, b"$": 2}}, '{"a":{"$kvlist":{"b":1,"$":2}}}'),
        ([{b"$": [{b"$": None}]}], '[{"$kvlist":{"$":[{"$kvlist":{"$":null}}]}}]'),
        ({b"\xff": 1}, '{"\N{REPLACEMENT CHARACTER}":1}'),
    ],
)
def test_a_value_has_this_json(value: Any, text: str) -> None:
    assert json_of(value) == text


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: x != 0 or math.copysign(1, x) > 0
    )
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.text("abc$é", max_size=3).filter(lambda key: not key.startswith("$")),
            inside,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def _with_byte_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.encode(): _with_byte_keys(item) for key, item in value.items()}
    return [_with_byte_keys(item) for item in value] if isinstance(value, list) else value


def _types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _types(item) for key, item in value.items()}
    return [_types(item) for item in value] if isinstance(value, list) else (type(value), value)


@settings(max_examples=150, deadline=None)
@given(value=_VALUES)
def test_values_survive_the_way_through_json_with_their_types(value: Any) -> None:
    assert _types(json.loads(json_of(_with_byte_keys(value)))) == _types(value)


def test_the_attributes_of_a_row_are_one_object_and_none_are_null() -> None:
    spans = decoded(span((b"a", 1), (b"b", "x")), span(), span((b"", None)))
    assert decode.attributes_json(spans, lifted=False).to_pylist() == [
        '{"a":1,"b":"x"}',
        None,
        '{"":null}',
    ]


def test_repeated_keys_stay_in_the_order_of_the_wire() -> None:
    """In jsonb the last one counts, and so it does for columns."""
    spans = decoded(span((b"a", 1), (b"b", 2), (b"a", 3)))
    assert decode.attributes_json(spans, lifted=False)[0].as_py() == '{"a":1,"b":2,"a":3}'


def test_text_that_grows_sixfold_makes_the_output_grow() -> None:
    many = [span((b"k", "\x01" * size)) for size in (1, 10_000, 0, 100_000, 3)]
    texts = decode.attributes_json(decoded(*many), lifted=False).to_pylist()
    assert [len(json.loads(text)["k"]) for text in texts] == [1, 10_000, 0, 100_000, 3]


def test_arrays_grow_the_output_wherever_it_ends() -> None:
    rng = random.Random(3)
    rows = [[rng.choice([None, 1e300, "x" * rng.randrange(40), {b"$": 1}])] * 50 for _ in range(99)]
    texts = decode.attributes_json(decoded(*(span((b"k", row)) for row in rows)), lifted=False)
    for row, text in zip(rows, texts.to_pylist(), strict=True):
        assert text == f'{{"k":{json_of(row)}}}'


def test_a_value_as_deep_as_the_parser_allows_is_written() -> None:
    value: Any = 1
    for depth in range(31):
        value = {b"$": value} if depth % 2 else [value]
    body = span((b"k", value))
    assert canonical(body) is body
    text = json_of(value)
    assert text.count('{"$kvlist":{"$":') == 15
    json.loads(text)


def test_the_body_of_a_log_record_may_be_any_value() -> None:
    request = official.REQUEST[Signal.LOGS]()
    records = request.resource_logs.add().scope_logs.add().log_records  # type: ignore[attr-defined]
    for value in ("text", {b"k": [1.0]}, b"\x00", False, None):
        put(records.add().body, value)
    logs = decode_bodies(Signal.LOGS, [request.SerializeToString()])
    bodies = decode.any_value_json(logs.buffer, logs.body_kind, logs.body_number, logs.body_value)
    assert bodies.to_pylist() == [
        '"text"',
        '{"k":[1.0]}',
        '{"$bytes":"AA=="}',
        "false",
        None,
    ]


def test_a_measurement_is_the_number_that_was_sent() -> None:
    spans = decoded(
        span(
            (b"crucible.measurement.loss", 0.25),
            (b"crucible.measurement.optim/entropy", 7),
            (b"crucible.measurement.nan", math.nan),
            (b"crucible.measurement.word", "1.0"),
            (b"crucible.measurement.", 1.0),
            (b"crucible.measurementz.loss", 1.0),
        ),
        span(),
        span((b"crucible.measurement.large", 2**63 - 1)),
    )
    measured = spans.measurements
    names = decode.text_array(spans.buffer, measured.name).to_pylist()
    assert names == ["loss", "optim/entropy", "nan", "large"]
    assert measured.row.tolist() == [0, 0, 0, 2]
    assert struct.pack("<4d", *measured.value) == struct.pack("<4d", 0.25, 7, math.nan, 2.0**63)


def test_a_measurement_of_another_producer_has_its_whole_key_as_its_name() -> None:
    spans = decoded(
        span(
            (b"megatron.training.loss", 0.25),
            (b"megatron.", 1.0),
            (b"megatronic.loss", 1.0),
            (b"nv.dl.training.params_norm", 3),
            (b"nv.dl.rank", 3),
        )
    )
    names = decode.text_array(spans.buffer, spans.measurements.name).to_pylist()
    assert names == ["megatron.training.loss", "nv.dl.training.params_norm"]
    assert spans.measurements.value.tolist() == [0.25, 3.0]
