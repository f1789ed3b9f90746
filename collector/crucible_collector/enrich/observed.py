"""Spans and data points as detectors see them: every number that anything may watch, with its series.

Before it is decided which spans are kept, so that an anomaly can rescue its trace. What a number is
(its subject) is decided once for each event and metric of a window; nobody makes numbers that no plan
may be about. An event's length is watched where it has one: point events, start markers and spans that
ended before they began say nothing by being 0 long. A life-cycle that ends as `stop` or `exception` has
one rate of errors, that of its `stop`: each of the two alone would be all right, or all wrong, for ever.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

import crucible_schema
from crucible_collector.batch import F64, I32, I64, Bool, Spans
from crucible_collector.candidates import STATUS_ERROR, Columns
from crucible_collector.decode import xxh64
from crucible_collector.detect.observations import (
    NO_SERIES,
    NO_STEP,
    Observations,
    Source,
    Subject,
)
from crucible_collector.enrich.columns import slot_float, slot_int, slot_text
from crucible_collector.enrich.costs import COST, cost_usd
from crucible_collector.enrich.hashing import fold
from crucible_collector.enrich.measurements import (
    SLOT_MEASUREMENTS,
    Measured,
    Wants,
    measure,
    ranks,
    series_owner,
)
from crucible_collector.enrich.window import Collected, LookedAt, identify

DURATION, ERROR_RATE, STEPS_PER_SECOND = "duration_ms", "error_rate", "steps_per_second"
STEP_EVENT = crucible_schema.events.CRUCIBLE_TRAIN_BATCH_STOP
_HEARTBEAT = crucible_schema.events.CRUCIBLE_TELEMETRY_RUN_HEARTBEAT
_NS_PER_MS = 1e6
_NOT_WANTED = -1


@dataclass(slots=True)
class Subjects:
    """The distinct subjects of a window that somebody wants."""

    wants: Wants
    found: list[Subject] = field(default_factory=list)
    numbers: dict[Subject, int] = field(default_factory=dict)

    def number(self, subject: Subject) -> int:
        """Its number in `found`, or that it is not wanted."""
        number = self.numbers.get(subject)
        if number is None:
            number = len(self.found) if self.wants(subject) else _NOT_WANTED
            self.numbers[subject] = number
            if number >= 0:
                self.found.append(subject)
        return number


@functools.lru_cache(4096)
def _hash(subject: Subject) -> int:
    return xxh64("\0".join(subject).encode())


@dataclass(slots=True)
class _Numbers:
    """Numbers of one source, those of a series in order of time."""

    row: I64  # of the span
    subject: I32
    value: F64
    key: I64 | None = None  # None: by the span's event, run, condition and model
    series_id: I64 | None = None
    is_ordered: bool = False

    def __len__(self) -> int:
        return len(self.row)


def observe_spans(
    looked: LookedAt[Spans], collected: Collected, wants: Wants
) -> Observations | None:
    """What the wanted spans of a window tell in numbers; None where nothing of it may be watched.

    Comes after `look_at_spans` and before `add_spans`, which goes on with what was measured here.
    `wants` is asked once for each subject of the window. All times are those at which spans ended.
    """
    spans = looked.records
    rows = in_order_of_time(np.flatnonzero(looked.keep), looked.end_ns)
    subjects = Subjects(wants)
    parts = [
        *_measured(looked, collected, subjects, rows),
        *_in_slots(looked, subjects, rows),
        _durations(looked, subjects, rows),
        _statuses(looked, subjects, rows),
        _steps(looked, collected, subjects, rows),
    ]
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    _give_keys(looked, parts, subjects)
    row = np.concatenate([part.row for part in parts])
    step, epoch = (
        or_none(slot_int(spans, "crucible.step")),
        or_none(slot_int(spans, "crucible.epoch")),
    )
    return Observations(
        looked.candidates.signal,
        looked.candidates.columns,
        len(spans),
        subjects.found,
        np.concatenate([part.subject for part in parts]),
        np.concatenate([part.key for part in parts if part.key is not None]),
        np.concatenate([_series(part) for part in parts]),
        looked.end_ns[row],
        np.concatenate([part.value for part in parts]),
        step[row],
        epoch[row],
        np.repeat([part.is_ordered for part in parts], [len(part) for part in parts]),
        np.zeros(len(row), np.bool_),
        np.zeros(len(row), np.int64),
        row,
        spans.request[row],
        spans.index[row],
        np.take(spans.trace_id, row, axis=0),
        spans.span_id[row],
    )


def in_order_of_time(rows: I64, time_ns: I64) -> I64:
    """Rows in order of time. Senders' are nearly so, which this sort makes use of."""
    times = time_ns[rows]
    if (times[1:] >= times[:-1]).all():
        return rows
    return rows[np.argsort(times, kind="stable")]


def or_none(column: tuple[I64, Bool]) -> I64:
    values, there = column
    return np.where(there, values, NO_STEP)


def _series(part: _Numbers) -> I64:
    return np.full(len(part), NO_SERIES, np.int64) if part.series_id is None else part.series_id


def _give_keys(looked: LookedAt[Spans], parts: list[_Numbers], subjects: Subjects) -> None:
    """Keys for the numbers of what stays on spans."""
    if all(part.key is not None for part in parts):
        return
    has_run = slot_text(looked.records, "crucible.run.id").length > 0
    owner = owner_of_events(looked.candidates.columns, has_run)
    for part in parts:
        if part.key is None:
            part.key = keys_of_events(owner[part.row], subjects.found, part.subject)


def owner_of_events(columns: Columns, has_run: Bool) -> I64:
    """Whose each record's numbers are: an experiment's run under a condition, with a model.

    Without a run, the service is what tells one from the other.
    """
    key = columns.key
    host = key("run") if has_run.all() else np.where(has_run, key("run"), key("service"))
    return fold("watched by", key("experiment"), has_run, host, key("condition"), key("model"))


def keys_of_events(owner: I64, subjects: list[Subject], subject: I32) -> I64:
    """Keys of what events are watched for, number by number (see `owner_of_events`)."""
    hashes = np.array([_hash(each) for each in subjects], np.uint64).view(np.int64)
    return fold("watched", owner, hashes[subject])


def _measured(
    looked: LookedAt[Spans], collected: Collected, subjects: Subjects, rows: I64
) -> Iterator[_Numbers]:
    spans, events = looked.records, looked.events
    identified = identify(spans, looked.keep, looked.received_ns, collected)
    measured = measure(identified, spans, events, looked.end_ns, subjects.wants)
    if measured is None:
        return
    points = _numbers_of(measured.points, Source.POINT, subjects)
    chosen = points.subject >= 0
    if chosen.any():
        ids = measured.series_id[chosen]
        yield _Numbers(
            points.row[chosen], points.subject[chosen], points.value[chosen], ids, ids, True
        )
    if len(measured.staying):
        place = np.empty(len(spans), np.int64)
        place[rows] = np.arange(len(rows))
        order = np.argsort(place[measured.staying.row], kind="stable")
        yield _numbers_of(measured.staying.only(order), Source.SPAN, subjects)


def _numbers_of(measured: Measured, source: Source, subjects: Subjects) -> _Numbers:
    """What was measured, with its subjects; those that are not of this source are of no row here."""
    is_point = source is Source.POINT
    found = [
        subjects.number(Subject(source, each.event, each.metric))
        if each.metric and each.is_series == is_point
        else _NOT_WANTED
        for each in measured.readings
    ]
    return _Numbers(measured.row, np.array(found, np.int32)[measured.code], measured.value)


def _in_slots(looked: LookedAt[Spans], subjects: Subjects, rows: I64) -> Iterator[_Numbers]:
    """Tokens and cost, by all the names that other producers have for them."""
    for key, metric in SLOT_MEASUREMENTS.items():
        is_cost = key == COST
        value, there = cost_usd(looked.records) if is_cost else slot_float(looked.records, key)
        if not there.any():
            continue
        subject = _of_events(looked, subjects, functools.partial(_staying, key, metric))
        if subject is not None:
            yield _chosen(rows, subject, value, there)


def _staying(key: str, metric: str, event: str) -> Subject | None:
    """A number that stays on its span; None where it is a point."""
    is_measurement = crucible_schema.is_measurement_key(key)
    is_point = is_measurement and crucible_schema.is_series(event, metric)
    return None if is_point else Subject(Source.SPAN, event, metric)


def _durations(looked: LookedAt[Spans], subjects: Subjects, rows: I64) -> _Numbers:
    subject = _of_events(looked, subjects, lambda event: Subject(Source.DURATION, event, DURATION))
    if subject is None:
        return _nothing()
    took_ns = looked.end_ns - looked.start_ns
    return _chosen(rows, subject, took_ns / _NS_PER_MS, took_ns > 0)


def _statuses(looked: LookedAt[Spans], subjects: Subjects, rows: I64) -> _Numbers:
    subject = _of_events(looked, subjects, errors_of)
    if subject is None:
        return _nothing()
    is_error = looked.records.status_code == STATUS_ERROR
    return _chosen(rows, subject, is_error.astype(np.float64), np.ones(len(is_error), np.bool_))


def _steps(
    looked: LookedAt[Spans], collected: Collected, subjects: Subjects, rows: I64
) -> _Numbers:
    """A training's steps are those of one rank: ranks take theirs side by side."""
    subject = _of_events(looked, subjects, _step)
    if subject is None:
        return _nothing()
    spans = looked.records
    found = _chosen(rows, subject, np.ones(len(spans)), np.ones(len(spans), np.bool_))
    identified = identify(spans, looked.keep, looked.received_ns, collected)
    owner, rank = series_owner(identified, spans), ranks(spans)
    found.key, found.is_ordered = fold("steps", owner[found.row], rank[found.row]), True
    return found


def _nothing() -> _Numbers:
    return _Numbers(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0))


def _chosen(rows: I64, subject: I32, value: F64, there: Bool) -> _Numbers:
    row = rows[(there & (subject >= 0))[rows]]
    return _Numbers(row, subject[row], value[row])


def _of_events(
    looked: LookedAt[Spans], subjects: Subjects, subject: Callable[[str], Subject | None]
) -> I32 | None:
    """What each span's number is about, by its event; None where none of them is wanted."""
    found = np.full(len(looked.events.names), _NOT_WANTED, np.int32)
    for code, event in enumerate(looked.events.names):
        about = subject(event)
        if about is not None:
            found[code] = subjects.number(about)
    return found[looked.events.code] if (found >= 0).any() else None


def errors_of(event: str) -> Subject | None:
    """Whose errors an event counts among; None where it cannot have any."""
    definition = crucible_schema.EVENTS.get(event)
    if event == _HEARTBEAT or (definition and definition.phase is crucible_schema.Phase.START):
        return None
    if definition and definition.phase is crucible_schema.Phase.EXCEPTION and definition.lifecycle:
        event = crucible_schema.LIFECYCLES[definition.lifecycle].stop
    return Subject(Source.STATUS, event, ERROR_RATE)


def _step(event: str) -> Subject | None:
    return Subject(Source.STEP, event, STEPS_PER_SECOND) if event == STEP_EVENT else None
