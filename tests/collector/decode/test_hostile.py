"""Bytes that somebody made on purpose: refused or read as the official parser does, at no great cost."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from collector.decode.generated import field, random_request, varint
from collector.decode.observed import decode_bodies, same_or_both_refuse
from collector.decode.spans import around_span, canonical, decoded, places, span
from crucible_collector import decode
from crucible_collector.batch import Signal, TextRef
from crucible_collector.decode.canonical import OFFICIAL_BYTES_MAX
from crucible_collector.errors import MalformedError, TooLargeError

MIB = 1 << 20


def test_a_negative_length_is_refused_and_does_not_loop() -> None:
    """A walk that adds before it compares goes back by 12 bytes here, for ever."""
    body = field(1, 2, b"")[:1] + varint(-12) + bytes(7)
    assert len(body) == 18
    with pytest.raises(MalformedError):
        canonical(body)


@pytest.mark.parametrize("length", [-1, -12, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("place", ["span", "attribute", "unknown field", "text", "packed"])
def test_a_length_beyond_the_end_is_refused_wherever_it_is(length: int, place: str) -> None:
    overlong = varint(length) + b"abc"
    body = {
        "span": field(1, 2, field(2, 2, b"\x12" + overlong)),
        "attribute": around_span(b"\x4a" + overlong),
        "unknown field": around_span(b"\x9a\x06" + overlong),
        "text": around_span(b"\x2a" + overlong),
        "packed": field(
            1, 2, field(2, 2, field(2, 2, field(9, 2, field(1, 2, b"\x32" + overlong))))
        ),
    }[place]
    signal = Signal.METRICS if place == "packed" else Signal.TRACES
    assert not same_or_both_refuse(signal, body)


@pytest.mark.parametrize(
    ("accepted", "fields"),
    [
        pytest.param(True, field(5, 2, b"a") + field(5, 2, b"b"), id="singular text twice"),
        pytest.param(True, field(6, 0, b"\x01") + field(6, 0, b"\x02"), id="singular number twice"),
        pytest.param(
            True,
            field(15, 2, field(2, 2, b"first")) + field(15, 2, field(3, 0, b"\x02")),
            id="singular message twice, to be merged",
        ),
        pytest.param(
            True,
            field(9, 2, field(2, 2, field(1, 2, b"text") + field(3, 0, b"\x07"))),
            id="two members of a oneof",
        ),
        pytest.param(
            True,
            field(9, 2, field(2, 2, field(5, 2, field(1, 2, b"")) + field(5, 2, field(1, 2, b"")))),
            id="an array twice, to be merged",
        ),
        pytest.param(True, field(6, 0, varint(-1)), id="a negative enum"),
        pytest.param(True, field(6, 0, varint(40_000)), id="an unknown enum"),
        pytest.param(True, field(6, 0, varint(2**32 + 5)), id="an enum of more than 32 bits"),
        pytest.param(True, field(10, 0, varint(2**32 + 5)), id="a uint32 of more than 32 bits"),
        pytest.param(True, field(5, 2, b"a", padding=1), id="an over-long tag"),
        pytest.param(True, field(5, 2, b"a", padding=4), id="a tag of five bytes"),
        pytest.param(False, field(5, 2, b"a", padding=5), id="a tag of six bytes"),
        pytest.param(True, b"\x2a" + varint(1, padding=3) + b"a", id="an over-long length"),
        pytest.param(True, b"\x30" + b"\xff" * 9 + b"\x7f", id="a varint with bits over the 64th"),
        pytest.param(False, b"\x30" + b"\xff" * 10 + b"\x01", id="a varint of eleven bytes"),
        pytest.param(True, field(5, 0, b"\x01"), id="a text as a varint"),
        pytest.param(True, field(7, 2, b"12345678"), id="a time as text"),
        pytest.param(True, field(20, 3, b"") + field(20, 4, b""), id="an empty group"),
        pytest.param(
            True,
            field(20, 3, b"") + field(2047, 2, b"in") + field(20, 4, b""),
            id="a group with content",
        ),
        pytest.param(False, field(20, 3, b""), id="a group without end"),
        pytest.param(False, field(20, 4, b""), id="the end of no group"),
        pytest.param(False, field(20, 3, b"") + field(21, 4, b""), id="groups crossed"),
        pytest.param(False, field(0, 0, b"\x01"), id="field number 0"),
        pytest.param(False, field(5, 6, b""), id="wire type 6"),
        pytest.param(False, field(5, 7, b""), id="wire type 7"),
        pytest.param(True, field(2**29 - 1, 0, b"\x01"), id="the largest field number"),
        pytest.param(False, varint(2**32), id="a field number over the largest"),
        pytest.param(
            True, field(16, 5, b"1234") + field(17, 1, b"12345678"), id="fields 16 and 17"
        ),
        pytest.param(False, field(16, 5, b"123"), id="a fixed32 cut off"),
    ],
)
def test_unusual_encodings_are_read_as_the_official_parser_reads_them(
    accepted: bool, fields: bytes
) -> None:
    assert same_or_both_refuse(Signal.TRACES, around_span(fields)) is accepted


def _histogram(*fields: bytes) -> bytes:
    point = field(1, 2, b"".join(fields))
    return field(1, 2, field(2, 2, field(2, 2, field(1, 2, b"name") + field(9, 2, point))))


@pytest.mark.parametrize(
    ("accepted", "fields"),
    [
        pytest.param(True, [field(6, 2, bytes(range(24)))], id="packed"),
        pytest.param(True, [field(6, 2, b"")], id="packed, none"),
        pytest.param(True, [field(6, 1, bytes(range(8)))] * 3, id="not packed"),
        pytest.param(True, [field(6, 2, bytes(16)), field(6, 1, bytes(8))], id="both"),
        pytest.param(True, [field(6, 2, bytes(16)), field(6, 2, bytes(8))], id="in two parts"),
        pytest.param(False, [field(6, 2, bytes(23))], id="not a multiple of eight"),
    ],
)
def test_bucket_counts_may_come_packed_or_not(accepted: bool, fields: list[bytes]) -> None:
    assert same_or_both_refuse(Signal.METRICS, _histogram(*fields)) is accepted


@pytest.mark.parametrize(
    "content", [b"\x01\x80\x01\xff" * 5 + b"\x01", b"\x80" * 9 + b"\x01", b"\x80"]
)
def test_packed_varints_are_counted_as_the_official_parser_counts(content: bytes) -> None:
    point = field(1, 2, field(8, 2, field(2, 2, content)))
    body = field(1, 2, field(2, 2, field(2, 2, field(1, 2, b"name") + field(10, 2, point))))
    assert same_or_both_refuse(Signal.METRICS, body) is (content != b"\x80")


def _nested(messages: int) -> bytes:
    """An attribute whose value is arrays in arrays, `messages` deep inside the request."""
    inside = b""
    for depth in range(messages - 5, 0, -1):
        inside = field(5 if depth % 2 else 1, 2, inside)
    return around_span(field(9, 2, field(2, 2, inside)))


@pytest.mark.parametrize("messages", [98, 99, 100, 101, 102, 5000])
def test_messages_may_lie_as_deep_in_each_other_as_the_official_parser_allows(
    messages: int,
) -> None:
    assert same_or_both_refuse(Signal.TRACES, _nested(messages)) is (messages <= 100)


@pytest.mark.parametrize("signal", Signal)
def test_every_beginning_of_a_request_is_refused_or_read_alike(signal: Signal) -> None:
    body = random_request(signal, random.Random(20)).SerializeToString()
    for end in range(min(len(body), 600)):
        same_or_both_refuse(signal, body[:end])


@pytest.mark.parametrize("signal", Signal)
def test_an_empty_request_has_no_rows(signal: Signal) -> None:
    assert canonical(b"", signal) == b""
    assert len(decode_bodies(signal, [b""])) == 0
    assert len(decode_bodies(signal, [])) == 0


def test_what_the_check_did_not_let_through_is_no_record_of_the_window() -> None:
    good = span(name=b"good")
    with pytest.raises(MalformedError, match="request 1 of the window"):
        decoded(good, good[:-1], good)


def test_an_attribute_with_a_broken_value_is_found_when_it_is_read() -> None:
    """Damage inside a nested value that only a look into it can see."""
    body = around_span(field(9, 2, field(1, 2, b"k") + field(2, 2, field(5, 2, b"\x0a\x7f"))))
    with pytest.raises(MalformedError):
        canonical(body)
    spans = decoded(body)
    with pytest.raises(MalformedError):
        decode.attributes_json(spans, lifted=False)


def test_a_kernel_given_places_outside_the_buffer_raises_instead_of_reading_there() -> None:
    buffer, _ = places(b"abc")
    outside = TextRef(np.array([2], dtype=np.int64), np.array([5], dtype=np.int32))
    with pytest.raises(IndexError):
        decode.text_hash(buffer, outside)
    with pytest.raises(IndexError):
        decode.text_array(buffer, outside)


def test_more_records_than_allowed_are_refused_as_too_large() -> None:
    spans = field(1, 2, field(2, 2, field(2, 2, b"") * 11))
    decode.canonical(Signal.TRACES, spans, records_max=11)
    with pytest.raises(TooLargeError, match="10 spans at most"):
        decode.canonical(Signal.TRACES, spans, records_max=10)


def test_a_large_request_in_unusual_encoding_is_refused_without_the_official_parser() -> None:
    group = field(20, 3, b"") + field(20, 4, b"")
    padding = field(1000, 2, bytes(OFFICIAL_BYTES_MAX))
    with pytest.raises(TooLargeError, match="unusual protobuf encoding"):
        canonical(group + padding)
    with pytest.raises(MalformedError):
        canonical(padding + b"\x0a\x7f")
    assert canonical(padding) == padding


def _next_to_nothing() -> dict[str, bytes]:
    """Requests of about 64 MiB that would take many times that, parsed or decoded."""
    many = 32 << 20
    double = field(1, 2, b"\x21" + struct.pack("<d", -1e308))
    return {
        "spans": field(1, 2, field(2, 2, b"\x12\x00" * many)),
        "attributes": around_span(b"\x4a\x00" * many),
        "events": around_span(b"\x5a\x00" * many),
        "resources": b"\x0a\x00" * many,
        "spans after a group": b"\x2b\x2c" + field(1, 2, field(2, 2, b"\x12\x00" * many)),
        "doubles written out": around_span(
            field(9, 2, field(2, 2, field(5, 2, double * (64 * MIB // len(double)))))
        ),
    }


_MEASURE = """
import resource, sys
from pathlib import Path
from crucible_collector import decode
from crucible_collector.batch import Signal
from crucible_collector.errors import TooLargeError

def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

decode.canonical(Signal.TRACES, b"", records_max=1)
body = bytes(65 << 20)
before = peak_mib()
for path in map(Path, sys.argv[1:]):
    del body
    body = path.read_bytes()
    try:
        decode.canonical(Signal.TRACES, body, records_max=131_072)
    except TooLargeError:
        print(f"{path.name}: {peak_mib() - before}")
"""


def test_64_mib_of_next_to_nothing_are_refused_without_memory(tmp_path: Path) -> None:
    """The official parser takes 3 GiB for the first of these."""
    bodies = _next_to_nothing()
    for name, body in bodies.items():
        assert 55 * MIB < len(body) < 65 * MIB, name
        (tmp_path / name).write_bytes(body)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *(tmp_path / name for name in bodies)],
        capture_output=True,
        text=True,
        check=True,
    )
    mib_more = dict(line.split(": ") for line in done.stdout.splitlines())
    assert mib_more.keys() == bodies.keys(), "refused"
    assert max(map(int, mib_more.values())) < 16, mib_more


def test_64_mib_in_one_span_decode_within_a_few_times_their_size() -> None:
    body = around_span(
        field(9, 2, field(1, 2, b"k") + field(2, 2, field(1, 2, b"\x01" * 64 * MIB)))
    )
    started = time.monotonic()
    spans = decoded(canonical(body))
    json = decode.attributes_json(spans, lifted=False)
    assert json.nbytes < 6.1 * len(body)
    assert time.monotonic() - started < 30
