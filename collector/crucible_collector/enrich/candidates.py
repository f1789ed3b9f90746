"""Spans and log records as sampling sees them, before anything of them is formatted.

What a rule asks for beyond the columns of `Candidates` is read when it is asked for: names are hashed
once for each distinct event, attributes are looked for by the hash of their key in the whole table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from crucible_collector.batch import I32, I64, Bool, Logs, Records, Signal, Spans, TextRef
from crucible_collector.candidates import STATUS_ERROR, U64, Candidates
from crucible_collector.decode import any_value_json, text_hash, xxh64
from crucible_collector.enrich.columns import (
    resource_of,
    slot_hash,
    slot_text,
    text_of,
)
from crucible_collector.enrich.costs import cost_usd
from crucible_collector.enrich.events import EventNames
from crucible_collector.sample.randomness import randomness

_SLOTS = {
    "experiment": "crucible.experiment.id",
    "run": "crucible.run.id",
    "service": "service.name",
    "condition": "crucible.condition",
}
MODEL = ("gen_ai.response.model", "gen_ai.request.model", "crucible.model.name")
STATUSES = ("unset", "ok", "error")
_STATUS_HASHES = np.array([xxh64(each.encode()) for each in STATUSES], np.uint64)
SEVERITY_ERROR = 17  # the first number of OTLP's ERROR


def span_candidates(
    spans: Spans, keep: Bool, events: EventNames, times: tuple[I64, I64], received: Received
) -> Candidates:
    """Spans; `times` are start and end in ns, as they are stored."""
    cost, has_cost = cost_usd(spans)
    random, upstream = randomness(
        spans.buffer, spans.trace_state, spans.trace_id, *received.keys(spans)
    )
    status = np.clip(spans.status_code, 0, STATUS_ERROR)
    return Candidates(
        Signal.TRACES,
        RecordColumns(spans, events, status),
        keep,
        received.ns[spans.request],
        spans.trace_id,
        random,
        upstream,
        status,
        times[1] - times[0],
        np.where(has_cost & np.isfinite(cost), cost, 0.0),
        np.zeros(len(spans)),
    )


def log_candidates(logs: Logs, keep: Bool, events: EventNames, received: Received) -> Candidates:
    """Log records: they carry no tracestate, so that theirs is the randomness of the trace's id."""
    random, upstream = randomness(logs.buffer, None, logs.trace_id, *received.keys(logs))
    status = np.where(logs.severity_number >= SEVERITY_ERROR, STATUS_ERROR, 0)
    zeros = np.zeros(len(logs))
    return Candidates(
        Signal.LOGS,
        RecordColumns(logs, events, status),
        keep,
        received.ns[logs.request],
        logs.trace_id,
        random,
        upstream,
        status,
        np.zeros(len(logs), np.int64),
        zeros,
        zeros,
    )


@dataclass(frozen=True, slots=True)
class Received:
    """The requests of a window: when they came, and what tells them apart."""

    ns: I64
    digest: U64  # (requests) the first word of the digest

    def keys(self, records: Records) -> tuple[U64, I32]:
        """What tells a record from every other: its request's digest and its place in it."""
        return self.digest[records.request], records.index


@dataclass(slots=True)
class RecordColumns:
    """See `candidates.Columns`."""

    records: Records
    events: EventNames
    status: I64
    hashes: dict[str, U64] = field(default_factory=dict)

    def key(self, name: str) -> U64:
        if name not in self.hashes:
            self.hashes[name] = self._hash(name)
        return self.hashes[name]

    def _hash(self, name: str) -> U64:
        if name == "event":
            names = [xxh64(each.encode()) for each in self.events.names]
            return np.array(names, np.uint64)[self.events.code]
        if name == "status":
            return _STATUS_HASHES[self.status]
        if name == "model":
            return text_hash(self.records.buffer, slot_text(self.records, *MODEL))
        return slot_hash(self.records, _SLOTS[name])

    def label(self, name: str, row: int) -> str:
        if name == "event":
            return self.events.names[int(self.events.code[row])]
        if name == "status":
            return STATUSES[int(self.status[row])]
        keys = MODEL if name == "model" else (_SLOTS[name],)
        found: str | None = text_of(self.records, slot_text(self.records, *keys), row)
        return found or ""

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        fits = [any(is_named(each, name) for each in patterns) for name in self.events.names]
        return np.array(fits, np.bool_)[self.events.code]

    def has(self, attribute: str, value: str) -> Bool:
        records, wanted = self.records, value.encode()
        own = _values(records, records.attribute_start, attribute, wanted)
        of_resource = _values(records, records.resources.attribute_start, attribute, wanted)
        if not len(of_resource):
            return own > 0
        inherited = of_resource[resource_of(records)]
        return np.where(own >= 0, own, inherited) > 0


def is_named(pattern: str, event: str) -> bool:
    """Whether an event has this name, or one that begins with it up to a dot."""
    name = pattern.removesuffix("*").removesuffix(".")
    return not name or f"{event}.".startswith(f"{name}.")


def _values(records: Records, start: I64, attribute: str, value: bytes) -> I64:
    """Of each owner of attributes: 1 where the attribute has the value, 0 another one, -1 none."""
    found = np.full(max(len(start) - 1, 0), -1, np.int64)
    if not len(found):
        return found
    first, table = int(start[0]), records.attributes
    key = TextRef(
        table.key.offset[first : int(start[-1])], table.key.length[first : int(start[-1])]
    )
    at = np.flatnonzero(key.length == len(attribute.encode()))
    named = text_hash(records.buffer, TextRef(key.offset[at], key.length[at]))
    at = at[named == np.uint64(xxh64(attribute.encode()))] + first
    owner = np.searchsorted(start, at, side="right") - 1
    found[owner] = _equals(records, at, value)
    return found


def _equals(records: Records, at: I64, value: bytes) -> Bool:
    """Whether attributes have a value, as JSON writes it but for the quotes of a text."""
    table = records.attributes
    texts = any_value_json(
        records.buffer,
        table.kind[at],
        table.number[at],
        TextRef(table.value.offset[at], table.value.length[at]),
    ).to_pylist()
    wanted = value.decode()
    return np.array([_plain(each) == wanted for each in texts], np.bool_)


def _plain(text: str | None) -> str | None:
    if text is None or not text.startswith('"'):
        return text
    plain: str = json.loads(text)
    return plain
