"""OTLP gauges and sums as detectors see them: the points that have a number, each in its stored series.

Most metrics are watched by nobody, and cost one question for each name of a window.
"""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I32, I64, Bool, MetricKind, Metrics, Signal
from crucible_collector.detect.observations import Observations, Source, Subject
from crucible_collector.enrich.candidates import RecordColumns
from crucible_collector.enrich.columns import slot_int
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.measurements import Wants
from crucible_collector.enrich.metrics import LookedAtMetrics, look_at_metrics
from crucible_collector.enrich.observed import Subjects, in_order_of_time, or_none
from crucible_collector.enrich.window import Collected

_CUMULATIVE = 2
_NO_RECORDED_VALUE = 1  # bit of a data point's flags


def observe_metrics(
    metrics: Metrics, keep: Bool, received_ns: I64, collected: Collected, wants: Wants
) -> Observations | None:
    """What the kept data points of a window tell in numbers; None where nothing of it may be watched.

    May come before `add_metrics`, of the same arguments, which goes on with what was looked up here.
    """
    if not len(metrics):
        return None
    looked = look_at_metrics(metrics, keep, received_ns, collected)
    subjects = Subjects(wants)
    of_name = [
        subjects.number(Subject(Source.METRIC, "", each.name)) for each in looked.names.meanings
    ]
    if not subjects.found:
        return None
    subject = np.array(of_name, np.int32)[looked.names.code]
    rows = np.flatnonzero(keep & _has_number(looked) & (subject >= 0))
    if not len(rows):
        return None
    return _observations(looked, in_order_of_time(rows, looked.time_ns), (subjects, subject))


def _has_number(looked: LookedAtMetrics) -> Bool:
    metrics = looked.metrics
    is_gap = (metrics.flags & _NO_RECORDED_VALUE) != 0
    found: Bool = looked.is_number & (metrics.value_kind != 0) & ~is_gap
    return found


def _observations(
    looked: LookedAtMetrics, rows: I64, subjects: tuple[Subjects, I32]
) -> Observations:
    metrics, scales = looked.metrics, looked.names.scales()
    value = metrics.double_value[rows]
    ids = looked.series_id[rows]
    is_counter = metrics.is_monotonic[rows] & (metrics.temporality[rows] == _CUMULATIVE)
    nameless = EventNames([""], np.zeros(len(metrics), np.int64))
    return Observations(
        Signal.METRICS,
        RecordColumns(metrics, nameless, np.zeros(len(metrics), np.int64)),
        len(metrics),
        subjects[0].found,
        subjects[1][rows],
        ids,
        ids,
        looked.time_ns[rows],
        value if scales is None else value * scales[rows],
        or_none(slot_int(metrics, "crucible.step"))[rows],
        or_none(slot_int(metrics, "crucible.epoch"))[rows],
        np.ones(len(rows), np.bool_),
        is_counter & (metrics.metric_kind[rows] == MetricKind.SUM),
        metrics.start_ns[rows],
        rows,
        metrics.request[rows],
        metrics.index[rows],
        np.zeros((len(rows), 16), np.uint8),
        np.zeros(len(rows), np.int64),
    )
