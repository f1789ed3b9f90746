"""Stored rows as detectors saw them when they came: batches of the database to Observations.

What one could not guess: numbers of series do not say in which epoch they were measured, so that steps
that begin anew with every epoch look like a training that was resumed; and of a series only what its run
says is known of condition and model. Events are taken in order of their ends within a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from crucible_collector.batch import F64, I32, I64, Bool, Signal
from crucible_collector.candidates import KEYS, STATUS_ERROR, U64
from crucible_collector.detect.observations import (
    NO_SERIES,
    NO_STEP,
    Observations,
    Source,
    Subject,
)
from crucible_collector.enrich.candidates import STATUSES, is_named
from crucible_collector.enrich.measurements import text_hash_of
from crucible_collector.enrich.observed import (
    DURATION,
    errors_of,
    keys_of_events,
    owner_of_events,
)
from crucible_collector.store.replay import Batch

NS_PER_MS = 1e6
TRACE_BYTES = 16
_OF_KEYS = {
    "event": "event_name",
    "experiment": "experiment_id",
    "run": "run_id",
    "service": "service_name",
    "condition": "condition",
    "model": "model",
}


@dataclass(slots=True)
class _Columns:
    """See `candidates.Columns`; one text a record."""

    texts: dict[str, Sequence[str]]  # by KEYS
    asked: tuple[str, ...]  # whose values `attributes` are, record by record
    attributes: Sequence[Sequence[str | None]]
    hashes: dict[str, U64] = field(default_factory=dict)

    def key(self, name: str) -> U64:
        if name not in self.hashes:
            self.hashes[name] = text_hash_of(list(self.texts[name]))
        return self.hashes[name]

    def label(self, name: str, row: int) -> str:
        return self.texts[name][row]

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        names = self.texts["event"]
        fits = {name: any(is_named(each, name) for each in patterns) for name in set(names)}
        return np.array([fits[name] for name in names], np.bool_)

    def has(self, attribute: str, value: str) -> Bool:
        at = self.asked.index(attribute)
        return np.array([each[at] == value for each in self.attributes], np.bool_)


def _columns(rows: Batch, asked: tuple[str, ...]) -> _Columns:
    count = len(rows["event_name"])
    status = rows.get("status_code", (0,) * count)
    texts: dict[str, Sequence[str]] = {
        name: rows.get(_OF_KEYS[name], ("",) * count) for name in KEYS if name != "status"
    }
    texts["status"] = tuple(STATUSES[code] for code in status)
    return _Columns(texts, asked, rows["attributes"])


@dataclass(slots=True)
class Series:
    """Some series, whose numbers come batch by batch."""

    columns: _Columns
    subjects: list[Subject]
    ids: I64
    is_counter: Bool

    @classmethod
    def of(cls, rows: Batch, asked: tuple[str, ...]) -> Series:
        subjects = [
            Subject(Source.POINT, event, metric)
            if source == "event"
            else Subject(Source.METRIC, "", metric)
            for source, event, metric in zip(
                rows["source"], rows["event_name"], rows["metric"], strict=True
            )
        ]
        return cls(
            _columns(rows, asked),
            subjects,
            np.array(rows["series_id"], np.int64),
            np.array(rows["is_counter"], np.bool_),
        )

    def observations(self, points: Batch) -> Observations:
        """A batch of their numbers."""
        place = np.array(points["place"], np.int64) - 1
        count = len(place)
        ids = self.ids[place]
        none = np.zeros(count, np.int64)
        return Observations(
            Signal.METRICS,
            self.columns,
            len(self.ids),
            self.subjects,
            place.astype(np.int32),
            ids,
            ids,
            np.array(points["time_ns"], np.int64),
            np.array(points["value"], np.float64),
            _steps(points["step"]),
            none + NO_STEP,
            np.ones(count, np.bool_),
            self.is_counter[place],
            np.array(points["start_ns"], np.int64),
            place,
            none.astype(np.int32),
            none.astype(np.int32),
            np.zeros((count, TRACE_BYTES), np.uint8),
            none,
        )


def _steps(values: Sequence[int | None]) -> I64:
    return np.array([NO_STEP if each is None else each for each in values], np.int64)


@dataclass(slots=True)
class _Chosen:
    """Numbers of one kind of some events."""

    row: I64
    subject: I32
    value: F64


def of_spans(spans: Batch, asked: tuple[str, ...], metric: str | None) -> Observations:
    """How long events took and which of them are errors; `metric` None: both."""
    columns = _columns(spans, asked)
    took_ns = np.array(spans["duration_ns"], np.int64)
    end_ns = np.array(spans["start_ns"], np.int64) + took_ns
    order = np.argsort(end_ns, kind="stable")
    subjects: dict[Subject, int] = {}
    parts = []
    for source, value, there in (
        (Source.DURATION, took_ns / NS_PER_MS, took_ns > 0),
        (
            Source.STATUS,
            (np.array(spans["status_code"]) == STATUS_ERROR).astype(np.float64),
            np.ones(len(order), np.bool_),
        ),
    ):
        subject = np.array(
            [_number(subjects, source, name, metric) for name in spans["event_name"]], np.int32
        )
        row = order[(there & (subject >= 0))[order]]
        parts.append(_Chosen(row, subject[row], value[row]))
    row = np.concatenate([part.row for part in parts])
    subject = np.concatenate([part.subject for part in parts])
    none = np.zeros(len(row), np.int64)
    trace = b"".join(spans["trace_id"])
    owner = owner_of_events(columns, np.array([run != "" for run in spans["run_id"]], np.bool_))
    return Observations(
        Signal.TRACES,
        columns,
        len(order),
        list(subjects),
        subject,
        keys_of_events(owner[row], list(subjects), subject),
        none + NO_SERIES,
        end_ns[row],
        np.concatenate([part.value for part in parts]),
        _steps(spans["step"])[row],
        _steps(spans["epoch"])[row],
        none > 0,
        none > 0,
        none,
        row,
        none.astype(np.int32),
        none.astype(np.int32),
        np.frombuffer(trace, np.uint8).reshape(-1, TRACE_BYTES)[row],
        np.array(spans["span_id"], np.int64)[row],
    )


def _number(subjects: dict[Subject, int], source: Source, event: str, metric: str | None) -> int:
    """The number of what is told of an event; -1 where nothing is, or it is not asked for."""
    about: Subject | None = Subject(Source.DURATION, event, DURATION)
    if source is Source.STATUS:
        about = errors_of(event)
    if about is None or metric not in (None, about.metric):
        return -1
    return subjects.setdefault(about, len(subjects))
