"""Sends a file of numbers (see `metrics_store`) to the collector, as if they came now.

    with crucible.experiment("before-crucible"):
        replayed = replay("metrics.jsonl")

Each number becomes a batch event of its run, at its own time and step. What a reader could not
guess: a collector refuses what is older than its window for timestamps, thirty days unless set
otherwise; and a file sent twice is stored twice, since an event has no id but the one it gets here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opentelemetry.context import Context

from crucible_schema import events as names
from crucible_telemetry import fields, telemetry, values
from crucible_telemetry.emission import send_point
from crucible_telemetry.encoding import measurement_key
from crucible_telemetry.faults import guarded
from crucible_telemetry.metrics_store import Metric, Reader, read
from crucible_telemetry.scope import MEASUREMENTS_MAX, surrounding

_SPAN_NAME = "crucible_train.batch"
_STOP = names.CRUCIBLE_TRAIN_BATCH_STOP
# Events between two flushes: well within the queue, whose oldest would go if it ran over.
_BURST_EVENTS = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a file; where it was not sent to its end, `line_count` says how far it was."""

    line_count: int
    bad_line_count: int
    event_count: int
    is_complete: bool


def replay(path: str | os.PathLike[str], *, timeout_s: float = 30.0) -> Replayed:
    """Send a file's numbers; waits for the collector after every few hundred events.

    Gives up where the collector has not taken them within `timeout_s`. Inside an experiment they
    belong to it. Numbers of one run, step and time make one event. Raises OSError where the file
    cannot be opened; lines that are none are passed over and counted.
    """
    reader = read(path)
    count = 0
    is_taken = True
    for group in _groups(reader):
        _send(group)
        count += 1
        if count % _BURST_EVENTS == 0 and not (is_taken := telemetry.flush(timeout_s)):
            break
    else:
        is_taken = telemetry.flush(timeout_s)
    return Replayed(reader.line_count, reader.bad_line_count, count, is_taken)


def _groups(reader: Reader) -> Iterator[list[Metric]]:
    """Yield neighbours that one event can hold."""
    group: list[Metric] = []
    for metric in reader:
        if group and not _fits(metric, group):
            yield group
            group = []
        group.append(metric)
    if group:
        yield group


def _fits(metric: Metric, group: list[Metric]) -> bool:
    first = group[0]
    return (
        (metric.run_id, metric.step, metric.timestamp, metric.metadata)
        == (first.run_id, first.step, first.timestamp, first.metadata)
        and len(group) < MEASUREMENTS_MAX
        and all(metric.metric != other.metric for other in group)
    )


@guarded
def _send(group: list[Metric]) -> None:
    first = group[0]
    around = surrounding()
    using = telemetry.current()
    run_id = values.bounded_id(first.run_id)
    attributes = {
        # Without a story around it, a run is its own.
        names.CORRELATION_ID: values.bounded_correlation_id(run_id),
        **({} if around is None else around._inherited),
        **dict(fields.attributes(_STOP, first.metadata)),
        names.RUN_ID: run_id,
        **{measurement_key(metric.metric): metric.value for metric in group},
    }
    if first.step is not None:
        attributes[names.STEP] = first.step
    time_ns = (first.timestamp - _EPOCH) // timedelta(microseconds=1) * 1000
    # Each a trace of its own: all of a file would be one of millions of spans.
    send_point(using, Context(), _SPAN_NAME, time_ns, time_ns, attributes)
