"""The measurements of spans, under the registry's names and in its units.

A number that another producer sends under a name of its own (`lr`, `megatron.training.loss`) belongs to
the same series as ours does; its attribute stays as it was sent. Where a span has one number under
several names, the registry's own counts first, then the order of its aliases. They are read once, for
`points` and for `observed` alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import crucible_schema
from crucible_collector.batch import F64, I64, Bool, Spans, TextRef
from crucible_collector.decode import distinct, text_hash
from crucible_collector.detect.observations import Source, Subject
from crucible_collector.enrich.columns import slot_hash, slot_int, slot_text, text_of
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.hashing import U64, fold
from crucible_collector.enrich.series import by_series
from crucible_collector.enrich.window import Identified

Wants = Callable[[Subject], bool]  # whether anything may watch numbers of this kind

# series.metric is indexed, and an entry of a btree holds 2,704 bytes: even where every byte of a name
# is replaced by U+FFFD it fits. A longer name is an attribute of its span and nothing else.
_METRIC_BYTES_MAX = 800
_PREFERENCE = {key: place for place, key in enumerate(crucible_schema.ATTRIBUTE_ALIASES, 1)}
# Read through their slots, by all their spellings, unless they are series.
SLOT_MEASUREMENTS = {
    "crucible.measurement.cost_usd": "cost_usd",
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
}
_READ_ELSEWHERE = frozenset(SLOT_MEASUREMENTS.values())


class Reading(NamedTuple):
    """What a name means on one event: `sent` is the name where it is not the metric's, else None."""

    event: str
    metric: str
    sent: str | None
    scale: float
    preference: int
    is_series: bool  # else it stays on its span


@dataclass(slots=True)
class Measured:
    """Measurements, one entry each."""

    row: I64  # the span's
    value: F64
    name_hash: U64  # of the metric
    code: I64  # index into readings
    readings: list[Reading]

    def __len__(self) -> int:
        return len(self.row)

    def only(self, chosen: Bool | I64) -> Measured:
        """Some of them, or all in another order."""
        return Measured(
            self.row[chosen],
            self.value[chosen],
            self.name_hash[chosen],
            self.code[chosen],
            self.readings,
        )


@dataclass(slots=True)
class MeasuredSpans:
    """What the kept spans of a window measured."""

    points: Measured  # series, in (series, time) order
    series_id: I64  # one each
    staying: Measured  # on their spans, but somebody wants to watch them


def measure(
    identified: Identified,
    spans: Spans,
    events: EventNames,
    time_ns: I64,
    wants: Wants | None = None,
) -> MeasuredSpans | None:
    """The kept spans' measurements that are series, or wanted; None where there is none.

    Asked for again, they are those of the first time.
    """
    if "measurements" not in spans.memo:
        spans.memo["measurements"] = _measure(identified, spans, events, time_ns, wants)
    found: MeasuredSpans | None = spans.memo["measurements"]
    return found


def _measure(
    identified: Identified, spans: Spans, events: EventNames, time_ns: I64, wants: Wants | None
) -> MeasuredSpans | None:
    measured = _read(identified.keep, spans, events, wants)
    if measured is None:
        return None
    if any(reading.sent is not None for reading in measured.readings):
        measured = measured.only(_first_of_each(measured))
    is_series = np.array([each.is_series for each in measured.readings])[measured.code]
    points, staying = measured, measured.only(np.zeros(0, np.int64))
    if not is_series.all():
        points, staying = measured.only(is_series), measured.only(~is_series)
    ids = _series_ids(identified, spans, events, points)
    order = by_series(ids, time_ns[points.row])
    return MeasuredSpans(points.only(order), ids[order], staying)


def _read(keep: Bool, spans: Spans, events: EventNames, wants: Wants | None) -> Measured | None:
    """What a name means is asked once for each pair of event and name that there is.

    A hostile window has as many names as measurements.
    """
    measured = spans.measurements
    at = np.flatnonzero(keep[measured.row] & (measured.name.length <= _METRIC_BYTES_MAX))
    ref = TextRef(measured.name.offset[at], measured.name.length[at])
    hashes, row = text_hash(spans.buffer, ref), measured.row[at].astype(np.int64)
    named, name_code = distinct(hashes)
    names = [text_of(spans, ref, each) or "" for each in named.tolist()]
    pairs = events.code[row] * len(names) + name_code
    first, inverse = distinct(pairs)
    found = [
        _reading(events.names[pair // len(names)], names[pair % len(names)], wants)
        for pair in pairs[first].tolist()
    ]
    is_read = np.array([each is not None for each in found], np.bool_)
    if not is_read.any():
        return None
    readings = [each or _NO_READING for each in found]
    read = Measured(row, measured.value[at], hashes, inverse, readings)
    return _in_own_terms(read if is_read.all() else read.only(is_read[inverse]))


_NO_READING = Reading("", "", None, 1.0, 0, False)


def _reading(event: str, name: str, wants: Wants | None) -> Reading | None:
    """What a measurement is; None where it is no series, and nobody wants it."""
    metric = crucible_schema.canonical_measurement(event, name)
    is_series = crucible_schema.is_series(event, metric)
    if not is_series and (
        wants is None or metric in _READ_ELSEWHERE or not wants(Subject(Source.SPAN, event, metric))
    ):
        return None
    sent = None if metric == name else name
    last = len(_PREFERENCE) + 1
    preference = 0 if sent is None else _PREFERENCE.get(name, last)
    scale = crucible_schema.measurement_scale(name)
    return Reading(event, metric, sent, scale, preference, is_series)


def _in_own_terms(measured: Measured) -> Measured:
    """The hash of the metric's name and the number in its unit, where another name was sent."""
    is_other = np.array([each.sent is not None for each in measured.readings])
    if is_other.any():
        chosen = is_other[measured.code]
        code = measured.code[chosen]
        measured.name_hash[chosen] = text_hash_of([e.metric for e in measured.readings])[code]
        measured.value[chosen] *= np.array([each.scale for each in measured.readings])[code]
    return measured


def _first_of_each(measured: Measured) -> Bool:
    """Of the numbers that one span has for one metric, that under the preferred name."""
    preference = np.array([each.preference for each in measured.readings])[measured.code]
    name, row = measured.name_hash, measured.row
    order = np.lexsort((preference, name, row))
    is_first = np.zeros(len(row), np.bool_)
    changes = (name[order][1:] != name[order][:-1]) | (np.diff(row[order]) != 0)
    is_first[order] = np.concatenate(([True], changes))
    return is_first


def _series_ids(
    identified: Identified, spans: Spans, events: EventNames, measured: Measured
) -> I64:
    row = measured.row
    event_hash = text_hash_of(events.names)[events.code]
    owner, rank = series_owner(identified, spans), ranks(spans)
    return fold("measurement", owner[row], event_hash[row], measured.name_hash, rank[row])


def series_owner(identified: Identified, spans: Spans) -> I64:
    """Whose series each span's measurements are: its run's, without one its resource's."""
    has_run = slot_text(spans, "crucible.run.id").length > 0
    run = slot_hash(spans, "crucible.run.id")
    return np.where(has_run, run.view(np.int64), identified.resource)


def ranks(spans: Spans) -> I64:
    """Each span's rank, -1 where it has none."""
    rank, has_rank = slot_int(spans, "crucible.rank")
    return np.where(has_rank, rank, -1)


def text_hash_of(values: list[str]) -> U64:
    """XXH64 of each text in UTF-8."""
    encoded = [value.encode() for value in values]
    length = np.array([len(value) for value in encoded], np.int32)
    offset = np.concatenate(([0], np.cumsum(length)[:-1])).astype(np.int64)
    return text_hash(np.frombuffer(b"".join(encoded) + b"\0", np.uint8), TextRef(offset, length))


@functools.lru_cache(4096)
def unit_of(event: str, metric: str) -> str | None:
    """The registry's unit of a measurement; None for names that it does not know."""
    definition = crucible_schema.EVENTS.get(event)
    uses = definition.measurements if definition else ()
    return next((use.measurement.unit for use in uses if use.measurement.name == metric), None)
