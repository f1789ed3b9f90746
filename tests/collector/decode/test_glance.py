"""What the glance lets through is what the survey would have counted."""

from __future__ import annotations

import random

import numpy as np
import pytest

from collector.decode.generated import field, random_request
from collector.decode.spans import around_span
from crucible_collector import decode
from crucible_collector.batch import SLOT_KEYS, Signal
from crucible_collector.decode import SpanBounds, glance
from crucible_collector.decode.columns import survey_requests
from crucible_collector.decode.layouts import SPANS
from crucible_collector.decode.plan import Counter
from crucible_collector.decode.survey import new_stack

_ANY = SpanBounds(0, 0, 2**63 - 1, 2**31 - 1, np.full(len(SLOT_KEYS), 2**31 - 1, dtype=np.int64))


def _random_body(rng: random.Random) -> bytes:
    request = random_request(Signal.TRACES, rng)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for one in scope.spans:
                one.trace_id, one.span_id, one.parent_span_id = b"x" * 16, b"y" * 8, b""
                one.kind, one.start_time_unix_nano, one.end_time_unix_nano = 1, 2, 3
                if one.HasField("status"):
                    one.status.code = 2
    body: bytes = request.SerializeToString()
    return body


def _counts_at_a_glance(body: bytes) -> list[int]:
    """Of a request that is sound."""
    counts = np.zeros(len(Counter), dtype=np.int64)
    buffer = np.frombuffer(body, dtype=np.uint8)
    *numbers, slot_bytes_max = _ANY
    bounds = (*numbers, 2**31 - 1)
    assert glance._are_sound(buffer, bounds, slot_bytes_max, SPANS.plan, counts, new_stack())  # type: ignore[arg-type] # five ints
    found: list[int] = counts.tolist()
    return found


def _counts_of_the_survey(body: bytes) -> list[int]:
    place = np.zeros(1, dtype=np.int64), np.array([len(body)], dtype=np.int64)
    code, _, counts = survey_requests(SPANS, np.frombuffer(body, np.uint8), *place, deep=True)
    assert code == 0
    found: list[int] = counts.tolist()
    return found


def test_the_glance_counts_what_the_survey_counts() -> None:
    """On this it rests that a request which is small on the wire stays small in memory."""
    rng = random.Random(3)
    total = np.zeros(len(Counter), dtype=np.int64)
    for body in (_random_body(rng) for _ in range(300)):
        counts = _counts_at_a_glance(body)
        assert counts == _counts_of_the_survey(body)
        total += counts
    attributes = (Counter.RECORD_ATTRIBUTE, Counter.OTHER_ATTRIBUTE, Counter.RESOURCE_ATTRIBUTE)
    assert total[[*SPANS.rows, *attributes, Counter.DIGITS]].all()


@pytest.mark.parametrize("messages", [99, 100, 101, 5000])
def test_messages_may_lie_as_deep_in_each_other_as_the_survey_allows(messages: int) -> None:
    """Where the walk into an attribute begins, four messages are around it already."""
    inside = b""
    for depth in range(messages - 5, 0, -1):
        inside = field(5 if depth % 2 else 1, 2, inside)
    ids = field(1, 2, b"x" * 16) + field(2, 2, b"y" * 8)
    body = around_span(ids + field(9, 2, field(2, 2, inside)))
    place = np.zeros(1, dtype=np.int64), np.array([len(body)], dtype=np.int64)
    code, _, _ = survey_requests(SPANS, np.frombuffer(body, np.uint8), *place, deep=True)
    assert (code == 0) is (messages <= 100)
    assert decode.sound_span_count(body, _ANY, records_max=1) == (1 if code == 0 else None)
