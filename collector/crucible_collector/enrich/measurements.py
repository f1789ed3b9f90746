"""The measurements of spans as points of their series, under the registry's names and in its units.

A number that another producer sends under a name of its own (`lr`, `megatron.training.loss`) is a point
of the same series as ours is; its attribute stays as it was sent. Where a span has one number under
several names, the registry's own counts first, then the order of its aliases.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

import crucible_schema
from crucible_collector.batch import F64, I64, Bool, Signal, Spans, TextRef
from crucible_collector.decode import distinct, text_hash
from crucible_collector.enrich.columns import (
    numbers,
    slot_hash,
    slot_int,
    slot_text,
    text_of,
    times,
)
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.hashing import U64, fold
from crucible_collector.enrich.series import by_series, series_row
from crucible_collector.enrich.window import Collected, Identified, table
from crucible_collector.rows import Table

# series.metric is indexed, and an entry of a btree holds 2,704 bytes: even where every byte of a name
# is replaced by U+FFFD it fits. A longer name is an attribute of its span and nothing else.
_METRIC_BYTES_MAX = 800
_PREFERENCE = {key: place for place, key in enumerate(crucible_schema.ATTRIBUTE_ALIASES, 1)}


class _Reading(NamedTuple):
    """What a name means on one event: `sent` is the name where it is not the metric's, else None."""

    metric: str
    sent: str | None
    scale: float
    preference: int


@dataclass(slots=True)
class _Measured:
    """Measurements that are series, one row each."""

    row: I64  # the span's
    value: F64
    name_hash: U64  # of the metric
    code: I64  # index into readings
    readings: list[_Reading]

    def only(self, chosen: Bool) -> _Measured:
        return _Measured(
            self.row[chosen],
            self.value[chosen],
            self.name_hash[chosen],
            self.code[chosen],
            self.readings,
        )


def points_of(
    identified: Identified, spans: Spans, events: EventNames, time_ns: I64, collected: Collected
) -> Table | None:
    """The measurements that the registry calls series, one point each, in (series, time) order."""
    measured = _series_measurements(identified.keep, spans, events)
    if measured is None:
        return None
    ids = _series_ids(identified, spans, events, measured)
    if any(reading.sent is not None for reading in measured.readings):
        is_first = _first_of_each(measured, ids)
        measured, ids = measured.only(is_first), ids[is_first]
    _new_series(identified, spans, events, (ids, measured), collected)
    order = by_series(ids, time_ns[measured.row])
    row = measured.row[order]
    time, rest = times(time_ns[row])
    step, has_step = slot_int(spans, "crucible.step")
    columns = {
        "series_id": pa.array(ids[order]),
        "time": time,
        "time_ns_rest": rest,
        "step": numbers(step[row], has_step[row], pa.int64()),
        "value": pa.array(measured.value[order]),
    }
    made = table("points", Signal.TRACES, identified, columns, row)
    if made is not None:
        made.principal = False
    return made


def _series_measurements(keep: Bool, spans: Spans, events: EventNames) -> _Measured | None:
    """The kept spans' measurements that are series; None where there is none.

    What a name means is asked once for each pair of event and name that there is: a hostile window
    has as many names as measurements.
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
        _reading(events.names[pair // len(names)], names[pair % len(names)])
        for pair in pairs[first].tolist()
    ]
    is_series = np.array([each is not None for each in found], np.bool_)[inverse]
    if not is_series.any():
        return None
    readings = [each or _NO_READING for each in found]
    return _in_own_terms(
        _Measured(row, measured.value[at], hashes, inverse, readings).only(is_series)
    )


_NO_READING = _Reading("", None, 1.0, 0)


def _reading(event: str, name: str) -> _Reading | None:
    """What a measurement is; None where the registry does not call it a series."""
    metric = crucible_schema.canonical_measurement(event, name)
    if not crucible_schema.is_series(event, metric):
        return None
    sent = None if metric == name else name
    last = len(_PREFERENCE) + 1
    preference = 0 if sent is None else _PREFERENCE.get(name, last)
    return _Reading(metric, sent, crucible_schema.measurement_scale(name), preference)


def _in_own_terms(measured: _Measured) -> _Measured:
    """The hash of the metric's name and the number in its unit, where another name was sent."""
    is_other = np.array([each.sent is not None for each in measured.readings])
    if is_other.any():
        chosen = is_other[measured.code]
        code = measured.code[chosen]
        measured.name_hash[chosen] = text_hash_of([e.metric for e in measured.readings])[code]
        measured.value[chosen] *= np.array([each.scale for each in measured.readings])[code]
    return measured


def _first_of_each(measured: _Measured, ids: I64) -> Bool:
    """Of the numbers that one span has for one series, that under the preferred name."""
    preference = np.array([each.preference for each in measured.readings])[measured.code]
    order = np.lexsort((preference, ids, measured.row))
    is_first = np.zeros(len(ids), np.bool_)
    changes = (np.diff(ids[order]) != 0) | (np.diff(measured.row[order]) != 0)
    is_first[order] = np.concatenate(([True], changes))
    return is_first


def _series_ids(
    identified: Identified, spans: Spans, events: EventNames, measured: _Measured
) -> I64:
    row = measured.row
    has_run = slot_text(spans, "crucible.run.id").length > 0
    run = slot_hash(spans, "crucible.run.id")
    owner = np.where(has_run, run.view(np.int64), identified.resource)
    event_hash = text_hash_of(events.names)[events.code]
    rank, has_rank = slot_int(spans, "crucible.rank")
    rank = np.where(has_rank, rank, -1)
    return fold("measurement", owner[row], event_hash[row], measured.name_hash, rank[row])


def text_hash_of(values: list[str]) -> U64:
    """XXH64 of each text in UTF-8."""
    encoded = [value.encode() for value in values]
    length = np.array([len(value) for value in encoded], np.int32)
    offset = np.concatenate(([0], np.cumsum(length)[:-1])).astype(np.int64)
    return text_hash(np.frombuffer(b"".join(encoded) + b"\0", np.uint8), TextRef(offset, length))


def _new_series(
    identified: Identified,
    spans: Spans,
    events: EventNames,
    points: tuple[I64, _Measured],
    collected: Collected,
) -> None:
    """Rows for the series that are not known yet; `points` are their ids and what they measure."""
    ids, measured = points
    first, _ = distinct(ids)
    known, into = collected.known.series, collected.series.rows
    new = [
        index
        for index in first.tolist()
        if int(ids[index]) not in known and int(ids[index]) not in into
    ]
    if not new:
        return
    run = slot_text(spans, "crucible.run.id")
    experiment = slot_text(spans, "crucible.experiment.id")
    rank, has_rank = slot_int(spans, "crucible.rank")
    resource = identified.resource
    for index in new:
        span = int(measured.row[index])
        event = events.names[events.code[span]]
        reading = measured.readings[measured.code[index]]
        into[int(ids[index])] = series_row(
            series_id=int(ids[index]),
            source="event",
            metric=reading.metric,
            original_metric=reading.sent,
            run_id=text_of(spans, run, span),
            experiment_id=text_of(spans, experiment, span),
            event_name=event,
            rank=int(rank[span]) if has_rank[span] else None,
            kind="measurement",
            number_kind="double",
            unit=_unit(event, reading.metric),
            resource_id=int(resource[span]),
        )


@functools.lru_cache(4096)
def _unit(event: str, metric: str) -> str | None:
    """The registry's unit of a measurement; None for names that it does not know."""
    definition = crucible_schema.EVENTS.get(event)
    uses = definition.measurements if definition else ()
    return next((use.measurement.unit for use in uses if use.measurement.name == metric), None)
