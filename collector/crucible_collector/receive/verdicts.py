"""The rules for each signal's records, over whole columns.

What a reader could not guess: a rule that nobody breaks costs one comparison and one `any` a column,
which is why every rule first asks whether there is anything to do. Five hundred spans are judged in
some 60 µs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from crucible_collector.batch import (
    I32,
    I64,
    SLOT,
    SPELLINGS,
    U8,
    AttributeKind,
    Attributes,
    Bool,
    Logs,
    MetricKind,
    Metrics,
    Reason,
    Records,
    Spans,
    TextRef,
)
from crucible_collector.decode import SpanBounds
from crucible_collector.enrich.columns import slot_text, texts_of
from crucible_collector.receive.limits import Limits

_NS = 1_000_000_000
_INT16_MIN, _INT16_MAX = -(1 << 15), (1 << 15) - 1
_INT64_MAX = (1 << 63) - 1
_TEMPORALITY_MAX = 2  # cumulative: the last one that OTLP defines
_NO_RECORDED_VALUE = 1  # bit of a data point's flags
_UNLIMITED = np.iinfo(np.int32).max  # more than a text can have

_IDENTITY_SLOTS = np.array(
    [
        SLOT[spelling]
        for key in (
            "crucible.experiment.id",
            "crucible.run.id",
            "crucible.run.parent_id",
            "crucible.condition",
            "crucible.correlation.id",
            "crucible.event.name",
        )
        for spelling in SPELLINGS[key]
    ]
)
_NAME_SLOTS = np.array(
    [
        SLOT[spelling]
        for key in (
            "crucible.experiment.name",
            "crucible.status",
            "crucible.model.name",
            "gen_ai.response.model",
            "gen_ai.request.model",
            "service.name",
        )
        for spelling in SPELLINGS[key]
    ]
)


class Sender(Protocol):
    """Who sends, as `access.guard.Admitted` knows them."""

    @property
    def experiment_prefix(self) -> str | None: ...

    def foreign_runs(self, run_ids: Collection[str]) -> Collection[str]:
        """Which of these runs they may not tell of. May ask the database."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What the records of one request are held against."""

    limits: Limits
    earliest_ns: int
    earliest_start_ns: int  # of a span
    latest_ns: int
    sender: Sender | None = None  # where they may not send everything

    @classmethod
    def at(cls, received_ns: int, limits: Limits, sender: Sender | None = None) -> Asked:
        return cls(
            limits,
            earliest_ns=received_ns - limits.past_s * _NS,
            earliest_start_ns=received_ns - max(limits.start_past_s, limits.past_s) * _NS,
            latest_ns=received_ns + limits.ahead_s * _NS,
            sender=sender,
        )


class Verdicts:
    """One reason a record, 0 where there is none. The first rule that is broken gives it."""

    def __init__(self, record_count: int) -> None:
        self.reason: U8 = np.zeros(record_count, np.uint8)

    def refuse(self, reason: Reason, broken: Bool) -> None:
        if broken.any():
            self.reason[broken & (self.reason == 0)] = reason

    def refused(self) -> I64:
        """Indices of the records that cannot be stored."""
        return np.flatnonzero(self.reason)


def judge_spans(spans: Spans, asked: Asked) -> Verdicts:
    verdicts = Verdicts(len(spans))
    no_trace = (spans.trace_id_length != 16) | ~spans.trace_id.any(axis=1)
    verdicts.refuse(Reason.INVALID_TRACE_ID, no_trace)
    verdicts.refuse(Reason.INVALID_SPAN_ID, (spans.span_id_length != 8) | (spans.span_id == 0))
    verdicts.refuse(Reason.INVALID_SPAN_ID, _has_odd_length(spans.parent_span_id_length, 8))
    for number in (spans.kind, spans.status_code):
        verdicts.refuse(Reason.NUMBER_OUT_OF_RANGE, _exceeds_int16(number))
    for time in (spans.start_ns, spans.end_ns):
        verdicts.refuse(Reason.NUMBER_OUT_OF_RANGE, time < 0)
    verdicts.refuse(Reason.TIME_OUT_OF_RANGE, _is_far_span(spans.start_ns, spans.end_ns, asked))
    verdicts.refuse(Reason.TEXT_TOO_LONG, spans.name.length > asked.limits.name_bytes_max)
    _judge_common(spans, asked, verdicts)
    return verdicts


def span_bounds(asked: Asked) -> SpanBounds:
    """Return what `judge_spans` holds spans against, for a pass that builds no columns."""
    # No time that is stored lies outside int64, though a setting may reach beyond it.
    return SpanBounds(
        start_min_ns=max(asked.earliest_start_ns, 0),
        end_min_ns=max(asked.earliest_ns, 0),
        time_max_ns=min(asked.latest_ns, _INT64_MAX),
        name_bytes_max=asked.limits.name_bytes_max,
        slot_bytes_max=_slot_bytes_max(asked.limits),
    )


@lru_cache(maxsize=1)  # a process has one set of limits
def _slot_bytes_max(limits: Limits) -> I64:
    bytes_max = np.full(len(SLOT), _UNLIMITED, np.int64)
    bytes_max[_IDENTITY_SLOTS] = limits.text_bytes_max
    bytes_max[_NAME_SLOTS] = limits.name_bytes_max
    return bytes_max


def judge_metrics(points: Metrics, asked: Asked) -> Verdicts:
    verdicts = Verdicts(len(points))
    verdicts.refuse(Reason.EMPTY_METRIC, _is_empty(points))
    for number in (points.time_ns, points.start_ns, points.count, points.zero_count):
        verdicts.refuse(Reason.NUMBER_OUT_OF_RANGE, number < 0)
    verdicts.refuse(
        Reason.NUMBER_OUT_OF_RANGE,
        (points.temporality < 0) | (points.temporality > _TEMPORALITY_MAX),
    )
    for start, counts in (
        (points.counts_start, points.counts),
        (points.negative_counts_start, points.negative_counts),
    ):
        verdicts.refuse(Reason.NUMBER_OUT_OF_RANGE, _has_negative(start, counts))
    # start_ns may lie as far back as it likes: a cumulative point starts with its process.
    verdicts.refuse(Reason.TIME_OUT_OF_RANGE, _is_far(points.time_ns, asked))
    verdicts.refuse(Reason.TEXT_TOO_LONG, points.metric_name.length > asked.limits.name_bytes_max)
    _judge_common(points, asked, verdicts)
    return verdicts


def judge_logs(logs: Logs, asked: Asked) -> Verdicts:
    verdicts = Verdicts(len(logs))
    verdicts.refuse(Reason.INVALID_TRACE_ID, _has_odd_length(logs.trace_id_length, 16))
    verdicts.refuse(Reason.INVALID_SPAN_ID, _has_odd_length(logs.span_id_length, 8))
    verdicts.refuse(Reason.NUMBER_OUT_OF_RANGE, _exceeds_int16(logs.severity_number))
    for time in (logs.time_ns, logs.observed_ns):
        verdicts.refuse(Reason.NUMBER_OUT_OF_RANGE, time < 0)
    stored_ns = np.where(logs.time_ns == 0, logs.observed_ns, logs.time_ns)
    verdicts.refuse(Reason.TIME_OUT_OF_RANGE, _is_far(stored_ns, asked))
    verdicts.refuse(Reason.TEXT_TOO_LONG, logs.event_name.length > asked.limits.text_bytes_max)
    _judge_common(logs, asked, verdicts)
    return verdicts


def _judge_common(records: Records, asked: Asked, verdicts: Verdicts) -> None:
    """Identity in attributes, the record's own and its resource's, and sizes."""
    limits, attributes = asked.limits, records.attributes
    for slots, bytes_max in (
        (_IDENTITY_SLOTS, limits.text_bytes_max),
        (_NAME_SLOTS, limits.name_bytes_max),
    ):
        is_long = (attributes.value.length > bytes_max) & (attributes.kind == AttributeKind.STRING)
        if is_long.any():
            verdicts.refuse(Reason.TEXT_TOO_LONG, _any_slot(records.slots, slots, is_long))
            resources = _any_slot(records.resources.slots, slots, is_long)
            verdicts.refuse(Reason.TEXT_TOO_LONG, resources[records.scopes.resource][records.scope])
    if len(records.buffer) > limits.record_bytes_max:  # else nothing in it can be larger
        verdicts.refuse(Reason.RECORD_TOO_LARGE, _is_large(records, limits.record_bytes_max))
    if asked.sender is not None:
        verdicts.refuse(Reason.FOREIGN_EXPERIMENT, _is_foreign(records, asked.sender))


def _is_foreign(records: Records, sender: Sender) -> Bool:
    """Of no experiment, or of one that does not begin so, as rows will say whose they are; or of others' runs."""
    prefix, rows = sender.experiment_prefix or "", np.arange(len(records))
    ids = texts_of(records, slot_text(records, "crucible.experiment.id"), rows)
    runs = texts_of(records, slot_text(records, "crucible.run.id"), rows)
    foreign = sender.foreign_runs({run for run in runs if run})
    within = [
        each is not None and each.startswith(prefix) and run not in foreign
        for each, run in zip(ids, runs, strict=True)
    ]
    return ~np.array(within, np.bool_)


def _any_slot(slots: I32, chosen: I64, is_long: Bool) -> Bool:
    index = slots[:, chosen]
    broken: Bool = np.logical_or.reduce(is_long[index] & (index >= 0), axis=1)
    return broken


def _is_large(records: Records, bytes_max: int) -> Bool:
    scopes, resources = records.scopes, records.resources
    scope_bytes = _owned_bytes(records.attributes, scopes.attribute_start)
    scope_bytes += _text_bytes(scopes.name, scopes.version, scopes.schema_url)
    resource_bytes = _owned_bytes(records.attributes, resources.attribute_start)
    resource_bytes += _text_bytes(resources.schema_url)
    large_scopes = (scope_bytes > bytes_max) | (resource_bytes > bytes_max)[scopes.resource]
    large = large_scopes[records.scope]
    is_large: Bool = (records.size > bytes_max) | large
    return is_large


def _owned_bytes(attributes: Attributes, start: I64) -> I64:
    """Bytes of keys and values that each row owns."""
    each = _text_bytes(attributes.key, attributes.value)
    until = np.concatenate((np.zeros(1, np.int64), np.cumsum(each)))
    owned: I64 = until[start[1:]] - until[start[:-1]]
    return owned


def _text_bytes(*texts: TextRef) -> I64:
    total: I64 = np.add.reduce([np.maximum(text.length, 0).astype(np.int64) for text in texts])
    return total


def _has_odd_length(length: I32, expected: int) -> Bool:
    """Neither absent nor of the expected length."""
    odd: Bool = (length > 0) & (length != expected)
    return odd


def _exceeds_int16(number: I64) -> Bool:
    exceeds: Bool = (number < _INT16_MIN) | (number > _INT16_MAX)
    return exceeds


def _is_far(time_ns: I64, asked: Asked) -> Bool:
    """Outside the accepted window; 0 stands for the time of receipt."""
    far: Bool = (time_ns != 0) & ((time_ns < asked.earliest_ns) | (time_ns > asked.latest_ns))
    return far


def _is_far_span(start_ns: I64, end_ns: I64, asked: Asked) -> Bool:
    """As `_is_far` of its end; the start may lie further back, within a bound of its own."""
    # An end before the start is stored as the start.
    last_ns = np.maximum(start_ns, end_ns)
    old = (last_ns < asked.earliest_ns) | (start_ns < asked.earliest_start_ns)
    far: Bool = ((start_ns != 0) & old) | (last_ns > asked.latest_ns)
    return far


def _has_negative(start: I64, counts: I64) -> Bool:
    """Rows with a count of 2^63 or more, which bigint cannot hold."""
    broken = np.zeros(len(start) - 1, np.bool_)
    negative = np.flatnonzero(counts < 0)
    if len(negative):
        broken[np.searchsorted(start, negative, side="right") - 1] = True
    return broken


def _is_empty(points: Metrics) -> Bool:
    """Without a name, of no known kind, or without a value and not said to be without one."""
    is_number = (points.metric_kind == MetricKind.GAUGE) | (points.metric_kind == MetricKind.SUM)
    no_value = is_number & (points.value_kind == 0) & (points.flags & _NO_RECORDED_VALUE == 0)
    unnamed = (points.metric_name.length <= 0) | (points.metric_kind == MetricKind.NONE)
    empty: Bool = unnamed | no_value
    return empty
