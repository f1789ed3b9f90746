"""Bytes to text: whatever they are, PostgreSQL takes it, and well-formed text is unchanged."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.decode.spans import canonical, decoded, json_of, places, span
from crucible_collector import decode
from crucible_collector.batch import TextRef
from crucible_collector.decode import text as text_module
from crucible_collector.errors import TooLargeError

# Bytes at the edges of what UTF-8 allows, so that random strings of them are nearly text.
_EDGES = st.lists(
    st.sampled_from(
        b'\x00\x1f"A\\\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf'
        b"\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff"
    ),
    max_size=12,
).map(bytes)


def as_text(content: bytes) -> str:
    return content.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(st.binary(max_size=12) | _EDGES | st.text().map(str.encode), max_size=12))
@example(
    rows=[b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98", b"\x00", b"\xc0\xaf"]
)
def test_ill_formed_bytes_are_replaced_as_python_replaces_them(rows: list[bytes]) -> None:
    assert decode.text_array(*places(*rows)).to_pylist() == [as_text(row) for row in rows]


@settings(max_examples=100, deadline=None)
@given(content=_EDGES)
def test_text_in_json_is_what_json_dumps_writes(content: bytes) -> None:
    rows = decode.any_value_json(
        np.frombuffer(content, dtype=np.uint8),
        np.ones(1, dtype=np.uint8),
        np.zeros(1, dtype=np.int64),
        TextRef(np.zeros(1, dtype=np.int64), np.array([len(content)], dtype=np.int32)),
    )
    assert rows[0].as_py() == json.dumps(as_text(content), ensure_ascii=False)


def test_absent_text_is_null_and_empty_text_is_empty() -> None:
    buffer, _ = places(b"abc")
    ref = TextRef(np.array([0, 0, 1], dtype=np.int64), np.array([-1, 0, 2], dtype=np.int32))
    texts = decode.text_array(buffer, ref)
    assert texts.to_pylist() == [None, "", "bc"]
    assert texts.null_count == 1
    texts.validate(full=True)


def test_more_text_than_an_array_can_hold_is_an_error_and_not_another_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_module, "TEXT_BYTES_MAX", 15)
    spans = decoded(span((b"key", "1234"), name=b"x" * 16))
    with pytest.raises(TooLargeError):
        decode.text_array(spans.buffer, spans.name)
    assert decode.attributes_json(decoded(span((b"key", "12345"))), lifted=False)[0].as_py()
    with pytest.raises(TooLargeError):
        decode.attribute_set_hash(decoded(span((b"a key that is long", 1))))


def test_no_rows_are_no_text() -> None:
    assert decode.text_array(*places()).to_pylist() == []


def test_a_slice_of_arrow_text_is_right() -> None:
    """The writer cuts windows in halves."""
    texts = decode.text_array(*places(b"a", b"", b"ccc", b"dd")).slice(1, 2)
    assert texts.to_pylist() == ["", "ccc"]


@pytest.mark.parametrize("content", [b"\xff name \x00", "näme".encode(), b""])
def test_a_name_that_is_no_utf8_is_stored(content: bytes) -> None:
    """The stock protobuf classes refuse the whole request for it."""
    body = span(name=content)
    assert canonical(body) is body
    spans = decoded(body)
    assert decode.text_array(spans.buffer, spans.name)[0].as_py() == (as_text(content) or None)


def test_text_of_several_bytes_a_character_is_whole_in_json() -> None:
    text = "é☃𝄞" * 1000
    assert json.loads(json_of(text)) == text
