"""Which numbers detectors see of OTLP metrics, in which series, and by which names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from crucible_collector.detect.names import names_of
from crucible_collector.detect.observations import Source, Subject
from observing import Observer, everything, observing, of, told
from rows_of import RECEIVED_NS, at, metrics, resource_of
from traffic import key_value

NO_RECORDED_VALUE = 1
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Observer]:
    with observing(tmp_path / "journal") as one:
        yield one


def gauge(*values: float | None, name: str = "gauge", first_s: int = 0) -> Metric:
    metric = Metric(name=name)
    metric.gauge.data_points.extend(map(data_point, values, range(first_s, first_s + len(values))))
    return metric


def total(*values: float, monotonic: bool = True, temporality: int = CUMULATIVE) -> Metric:
    metric = Metric(name="total")
    metric.sum.is_monotonic = monotonic
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]
    metric.sum.data_points.extend(map(data_point, values, range(len(values))))
    return metric


def data_point(value: float | None, second: int) -> NumberDataPoint:
    made = NumberDataPoint(time_unix_nano=at(second), start_time_unix_nano=at(-9))
    if isinstance(value, int):
        made.as_int = value
    elif value is not None:
        made.as_double = value
    return made


def test_gauges_and_sums_are_observed_in_their_stored_series(observer: Observer) -> None:
    request = metrics(gauge(0.5, 7), total(1.0, 2.0))
    observed = observer.metrics(request, wants=of(Source.METRIC), add=True)
    assert observed is not None
    assert told(observed) == [
        ("", "gauge", 0.5),
        ("", "total", 1.0),
        ("", "gauge", 7.0),
        ("", "total", 2.0),
    ]
    assert observed.time_ns.tolist() == [at(0), at(0), at(1), at(1)]
    assert (observed.key == observed.series_id).all()
    assert set(observed.key.tolist()) == set(observer.collected.series.rows)
    assert observed.is_ordered.all()
    assert set(observed.start_ns.tolist()) == {at(-9)}
    assert not observed.trace_id.any()
    assert not observed.span_id.any()


@pytest.mark.parametrize(
    ("monotonic", "temporality", "is_counter"),
    [(True, CUMULATIVE, True), (False, CUMULATIVE, False), (True, DELTA, False)],
)
def test_only_cumulative_monotonic_sums_are_counters(
    observer: Observer, monotonic: bool, temporality: int, is_counter: bool
) -> None:
    request = metrics(gauge(1.0), total(1.0, monotonic=monotonic, temporality=temporality))
    observed = observer.metrics(request, wants=everything)
    assert observed is not None
    of_metric = {
        name: bool(found)
        for (_, name, _), found in zip(told(observed), observed.is_cumulative, strict=True)
    }
    assert of_metric == {"gauge": False, "total": is_counter}


def test_gaps_and_distributions_are_no_numbers(observer: Observer) -> None:
    gap = gauge(None, 3.0)
    gap.gauge.data_points[0].flags = NO_RECORDED_VALUE
    stale = gauge(4.0, name="stale")
    stale.gauge.data_points[0].flags = NO_RECORDED_VALUE
    histogram = Metric(name="histogram")
    histogram.histogram.data_points.append(
        HistogramDataPoint(time_unix_nano=at(0), count=1, sum=1.0)
    )
    observed = observer.metrics(metrics(gap, stale, histogram), wants=everything)
    assert told(observed) == [("", "gauge", 3.0)]


def test_metrics_are_observed_by_the_registrys_names_and_units(observer: Observer) -> None:
    found = gauge(0.5, name="megatron.training.memory_allocated_gb")
    observed = observer.metrics(metrics(found), wants=everything)
    assert told(observed) == [("", "gpu_memory_allocated_bytes", 0.5 * 2**30)]


def test_a_metric_that_nobody_wants_costs_one_question_for_its_name(observer: Observer) -> None:
    asked: list[Subject] = []

    def wants(subject: Subject) -> bool:
        asked.append(subject)
        return False

    request = metrics(gauge(*map(float, range(50))), gauge(1.0, first_s=60))
    assert observer.metrics(request, wants=wants) is None
    assert asked == [Subject(Source.METRIC, "", "gauge")]


def test_a_point_of_a_metric_is_named_by_its_attributes_and_resource(observer: Observer) -> None:
    metric = gauge(0.5)
    metric.gauge.data_points[0].attributes.extend(
        [key_value("crucible.run.id", "r"), key_value("crucible.step", 4)]
    )
    resource = resource_of(crucible__experiment__id="e", service__name="s")
    observed = observer.metrics(metrics(metric, resource=resource), wants=everything)
    assert observed is not None
    named = names_of(observed, 0)
    assert (named.metric, named.event_name, named.series_id) == ("gauge", None, observed.key[0])
    assert (named.experiment_id, named.run_id, named.condition) == ("e", "r", None)
    assert observed.columns.label("service", 0) == "s"
    assert observed.step.tolist() == [4]


def test_points_without_a_time_are_of_their_receipt(observer: Observer) -> None:
    metric = gauge(0.5)
    metric.gauge.data_points[0].time_unix_nano = 0
    observed = observer.metrics(metrics(metric), wants=everything)
    assert observed is not None
    assert observed.time_ns.tolist() == [RECEIVED_NS]
