"""The attribute keys that become columns are found wherever they are, and nothing else is."""

from __future__ import annotations

import json

import pytest

from collector.decode.spans import decoded, put, span
from crucible_collector import decode
from crucible_collector.batch import LIFTED, SLOT, SLOT_KEYS, AttributeKind, Signal, Spans
from crucible_collector.decode import official

_OTHERS = [(b"host.name", "a"), (b"x", 1)]


def slot_value(spans: Spans, key: str, row: int = 0) -> bytes | None:
    index = spans.slots[row, SLOT[key]]
    if index < 0:
        return None
    value = spans.attributes.value
    return bytes(spans.buffer[value.offset[index] :][: value.length[index]])


@pytest.mark.parametrize("key", SLOT_KEYS)
def test_each_key_is_found_among_others(key: str) -> None:
    spans = decoded(span(*_OTHERS, (key.encode(), "here"), *_OTHERS), span(*_OTHERS))
    assert slot_value(spans, key) == b"here"
    assert (spans.slots >= 0).sum() == 1


@pytest.mark.parametrize("key", SLOT_KEYS)
def test_a_key_that_is_nearly_one_is_none(key: str) -> None:
    near = [key[:-1], key + "x", key[1:], key.upper(), "x" + key[1:], key.replace(".", "_", 1)]
    near += [key[:at] + "~" + key[at + 1 :] for at in range(len(key))]
    spans = decoded(span(*((text.encode(), "x") for text in near if text not in SLOT)))
    assert (spans.slots == -1).all()


def test_the_last_of_several_counts_and_the_others_are_gone() -> None:
    """Else the first would come back from the JSON beside the column."""
    spans = decoded(span((b"crucible.run.id", "first"), (b"a", 1), (b"crucible.run.id", "last")))
    assert slot_value(spans, "crucible.run.id") == b"last"
    whole = decode.attributes_json(spans, lifted=False)[0].as_py()
    assert json.loads(whole) == {"a": 1, "crucible.run.id": "last"}
    assert "first" not in whole
    assert decode.attributes_json(spans, lifted=True)[0].as_py() == '{"a":1}'


@pytest.mark.parametrize("key", LIFTED)
def test_what_has_a_column_is_left_out_of_the_json_if_its_kind_is_right(key: str) -> None:
    right = "text" if LIFTED[key] == AttributeKind.STRING else 7
    wrong = 7 if LIFTED[key] == AttributeKind.STRING else "text"
    spans = decoded(span((key.encode(), right)), span((key.encode(), wrong)))
    lifted = decode.attributes_json(spans, lifted=True).to_pylist()
    assert lifted == [None, json.dumps({key: wrong}, separators=(",", ":"))]
    whole = decode.attributes_json(spans, lifted=False).to_pylist()
    assert [json.loads(text) for text in whole] == [{key: right}, {key: wrong}]


def test_a_resource_has_slots_of_its_own() -> None:
    request = official.REQUEST[Signal.TRACES]()
    for service in ("one", "two"):
        around = request.resource_spans.add()  # type: ignore[attr-defined]
        attributes = around.resource.attributes
        put(attributes.add(key=b"service.name").value, service)
        put(attributes.add(key=b"crucible.run.id").value, f"run of {service}")
        put(around.scope_spans.add().spans.add().attributes.add(key=b"k").value, 1)
    spans = decoded(request.SerializeToString())
    assert (spans.slots == -1).all()
    resources = spans.resources
    value = spans.attributes.value
    found = []
    for row in range(2):
        index = resources.slots[row, SLOT["service.name"]]
        found.append(bytes(spans.buffer[value.offset[index] :][: value.length[index]]))
    assert found == [b"one", b"two"]
    assert decode.attributes_json(spans, resources.attribute_start, lifted=False).to_pylist() == [
        '{"service.name":"one","crucible.run.id":"run of one"}',
        '{"service.name":"two","crucible.run.id":"run of two"}',
    ]


def test_part_of_the_attribute_table_can_be_asked_for() -> None:
    spans = decoded(*(span((b"k", number)) for number in range(5)))
    some = spans.attribute_start[2:4]
    assert decode.attributes_json(spans, some, lifted=False).to_pylist() == ['{"k":2}']


def test_rows_of_several_requests_know_their_request_and_place() -> None:
    request = official.REQUEST[Signal.TRACES]()
    for _ in range(2):
        within = request.resource_spans.add().scope_spans.add()  # type: ignore[attr-defined]
        within.spans.add()
        within.spans.add()
    body = request.SerializeToString()
    spans = decoded(body, b"", body)
    assert spans.request.tolist() == [0] * 4 + [2] * 4
    assert spans.index.tolist() == [0, 1, 2, 3] * 2
    assert spans.scope.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert spans.scopes.resource.tolist() == [0, 1, 2, 3]
    assert spans.resources.request.tolist() == [0, 0, 2, 2]
