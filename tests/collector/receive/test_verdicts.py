"""Which records are refused, and for which reason; never one of their neighbours."""

from __future__ import annotations

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.receive.checks import NOW_NS, checked, refused
from collector.receive.otlp import (
    DAY_NS,
    SECOND_NS,
    Request,
    gauge,
    good_request,
    log_record,
    logs,
    metrics,
    point,
    span,
    text,
    traces,
)
from crucible_collector.batch import Reason, Signal
from crucible_collector.errors import TooLargeError
from crucible_collector.receive import Limits

IDENTITY = (
    "crucible.experiment.id",
    "crucible.run.id",
    "crucible.condition",
    "crucible.correlation.id",
    "crucible.event.name",
)
BEYOND_BIGINT = 1 << 63


def verdict_on_span(one: Span) -> Reason | None:
    """The reason for one span between two good ones, which must pass."""
    found = refused(Signal.TRACES, traces(span(), one, span()))
    assert found.keys() <= {1}
    return found.get(1)


def verdict_on_metric(one: Metric) -> Reason | None:
    found = refused(Signal.METRICS, metrics(gauge(point()), one, gauge(point())))
    assert found.keys() <= {1}
    return found.get(1)


def verdict_on_log(**fields: object) -> Reason | None:
    found = refused(Signal.LOGS, logs(log_record(), log_record(**fields), log_record()))
    assert found.keys() <= {1}
    return found.get(1)


def histogram(**fields: object) -> Metric:
    metric = Metric(name="histogram")
    metric.histogram.data_points.add(time_unix_nano=NOW_NS, **fields)
    return metric


# --- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trace_id", [b"", b"x" * 15, b"x" * 17, bytes(16)])
def test_a_span_needs_a_trace_id(trace_id: bytes) -> None:
    assert verdict_on_span(span(trace_id=trace_id)) == Reason.INVALID_TRACE_ID


@pytest.mark.parametrize("span_id", [b"", b"x" * 7, b"x" * 9, bytes(8)])
def test_a_span_needs_a_span_id(span_id: bytes) -> None:
    assert verdict_on_span(span(span_id=span_id)) == Reason.INVALID_SPAN_ID


@pytest.mark.parametrize(
    ("parent", "reason"),
    [(b"", None), (bytes(8), None), (b"x" * 8, None), (b"x", Reason.INVALID_SPAN_ID)],
)
def test_a_parent_is_a_span_id_or_nothing(parent: bytes, reason: Reason | None) -> None:
    assert verdict_on_span(span(parent_span_id=parent)) == reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b"x" * 16, "span_id": b"y" * 8}, None),
        ({"trace_id": bytes(16), "span_id": bytes(8)}, None),
        ({"trace_id": b"x" * 15}, Reason.INVALID_TRACE_ID),
        ({"span_id": b"x" * 9}, Reason.INVALID_SPAN_ID),
    ],
)
def test_a_log_record_has_ids_or_none(fields: dict[str, bytes], reason: Reason | None) -> None:
    assert verdict_on_log(**fields) == reason


# --- times ----------------------------------------------------------------------------------------

TIMES = [
    (0, None),
    (NOW_NS, None),
    (NOW_NS - 30 * DAY_NS, None),
    (NOW_NS - 30 * DAY_NS - 1, Reason.TIME_OUT_OF_RANGE),
    (NOW_NS + 3_600 * SECOND_NS, None),
    (NOW_NS + 3_600 * SECOND_NS + 1, Reason.TIME_OUT_OF_RANGE),
    (1, Reason.TIME_OUT_OF_RANGE),
    (BEYOND_BIGINT - 1, Reason.TIME_OUT_OF_RANGE),
    (BEYOND_BIGINT, Reason.NUMBER_OUT_OF_RANGE),
    ((1 << 64) - 1, Reason.NUMBER_OUT_OF_RANGE),
]


# By number: the times are of now, and names of tests are the same wherever they are collected.
@pytest.mark.parametrize(("time_ns", "reason"), TIMES, ids=map(str, range(len(TIMES))))
def test_a_span_without_duration_is_near_its_receipt(time_ns: int, reason: Reason | None) -> None:
    one = span(start_time_unix_nano=time_ns, end_time_unix_nano=time_ns)
    assert verdict_on_span(one) == reason
    never_ended = span(start_time_unix_nano=time_ns, end_time_unix_nano=0)
    assert verdict_on_span(never_ended) == reason


@pytest.mark.parametrize(
    ("days", "reason"),
    [(40, None), (365, None), (366, None), (367, Reason.TIME_OUT_OF_RANGE)],
)
def test_a_span_that_ended_now_may_have_begun_a_year_ago(days: int, reason: Reason | None) -> None:
    assert verdict_on_span(span(start_time_unix_nano=NOW_NS - days * DAY_NS)) == reason


# By number: the times are of now, and names of tests are the same wherever they are collected.
@pytest.mark.parametrize(("time_ns", "reason"), TIMES, ids=map(str, range(len(TIMES))))
def test_the_end_of_a_long_span_is_near_its_receipt(time_ns: int, reason: Reason | None) -> None:
    one = span(start_time_unix_nano=NOW_NS - 200 * DAY_NS, end_time_unix_nano=time_ns)
    assert verdict_on_span(one) == (reason if time_ns else Reason.TIME_OUT_OF_RANGE)


@pytest.mark.parametrize(
    ("past_days", "reason"),
    [(500, None), (400, Reason.TIME_OUT_OF_RANGE), (300, Reason.TIME_OUT_OF_RANGE)],
)
def test_a_wider_window_is_wider_for_starts_too(past_days: int, reason: Reason | None) -> None:
    one = span(start_time_unix_nano=NOW_NS - 450 * DAY_NS, end_time_unix_nano=NOW_NS)
    found = refused(Signal.TRACES, traces(one), Limits(past_s=past_days * 86_400))
    assert found.get(0) == reason


# By number: the times are of now, and names of tests are the same wherever they are collected.
@pytest.mark.parametrize(("time_ns", "reason"), TIMES, ids=map(str, range(len(TIMES))))
def test_the_time_of_a_point_is_near_its_receipt(time_ns: int, reason: Reason | None) -> None:
    assert verdict_on_metric(gauge(point(time_unix_nano=time_ns))) == reason


# By number: the times are of now, and names of tests are the same wherever they are collected.
@pytest.mark.parametrize(("time_ns", "reason"), TIMES, ids=map(str, range(len(TIMES))))
def test_the_time_of_a_log_record_is_near_its_receipt(time_ns: int, reason: Reason | None) -> None:
    assert verdict_on_log(time_unix_nano=time_ns) == reason


# By number: the times are of now, and names of tests are the same wherever they are collected.
@pytest.mark.parametrize(("time_ns", "reason"), TIMES, ids=map(str, range(len(TIMES))))
def test_without_a_time_that_of_observation_is_judged(time_ns: int, reason: Reason | None) -> None:
    assert verdict_on_log(time_unix_nano=0, observed_time_unix_nano=time_ns) == reason


def test_with_a_time_that_of_observation_may_be_any() -> None:
    assert verdict_on_log(observed_time_unix_nano=1) is None


def test_a_span_may_end_before_it_began() -> None:
    assert verdict_on_span(span(end_time_unix_nano=1)) is None
    assert verdict_on_span(span(end_time_unix_nano=0)) is None


def test_a_span_may_not_end_in_the_future() -> None:
    late = span(end_time_unix_nano=NOW_NS + DAY_NS)
    assert verdict_on_span(late) == Reason.TIME_OUT_OF_RANGE


def test_a_cumulative_point_may_have_begun_long_ago() -> None:
    assert verdict_on_metric(gauge(point(start_time_unix_nano=1))) is None


def test_the_window_can_be_set() -> None:
    then_ns = NOW_NS - 2 * SECOND_NS
    request = traces(span(start_time_unix_nano=then_ns, end_time_unix_nano=then_ns))
    assert refused(Signal.TRACES, request, Limits(past_s=3)) == {}
    assert refused(Signal.TRACES, request, Limits(past_s=1)) == {0: Reason.TIME_OUT_OF_RANGE}


# --- texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", IDENTITY)
@pytest.mark.parametrize("signal", Signal)
def test_an_identity_has_at_most_256_bytes(signal: Signal, key: str) -> None:
    def request(value: str) -> Request:
        attributes = [text("other", "x" * 3_000), text(key, value)]
        if signal is Signal.TRACES:
            return traces(span(), span(attributes=attributes))
        if signal is Signal.METRICS:
            return metrics(gauge(point(), point(attributes=attributes)))
        return logs(log_record(), log_record(attributes=attributes))

    assert refused(signal, request("é" * 128)) == {}
    assert refused(signal, request("é" * 128 + "x")) == {1: Reason.TEXT_TOO_LONG}
    assert refused(signal, request("x" * 3_000)) == {1: Reason.TEXT_TOO_LONG}


def test_an_identity_of_a_resource_refuses_all_its_records_and_no_others() -> None:
    request = traces(
        span(), span(), resource=Resource(attributes=[text("crucible.run.id", "x" * 257)])
    )
    request.resource_spans.extend(traces(span()).resource_spans)
    assert refused(Signal.TRACES, request) == {
        0: Reason.TEXT_TOO_LONG,
        1: Reason.TEXT_TOO_LONG,
    }


def test_a_long_identity_that_is_no_string_is_an_ordinary_attribute() -> None:
    one = span()
    one.attributes.add(key="crucible.run.id").value.bytes_value = b"x" * 3_000
    assert verdict_on_span(one) is None


def test_names_have_at_most_800_bytes() -> None:
    assert verdict_on_span(span(name="x" * 800)) is None
    assert verdict_on_span(span(name="x" * 801)) == Reason.TEXT_TOO_LONG
    assert verdict_on_metric(gauge(point(), name="x" * 801)) == Reason.TEXT_TOO_LONG
    assert (
        verdict_on_span(span(attributes=[text("gen_ai.request.model", "x" * 801)]))
        == Reason.TEXT_TOO_LONG
    )


def test_the_event_name_of_a_log_record_is_an_identity() -> None:
    assert verdict_on_log(event_name="x" * 256) is None
    assert verdict_on_log(event_name="x" * 257) == Reason.TEXT_TOO_LONG


def test_other_attributes_may_be_long() -> None:
    assert verdict_on_span(span(attributes=[text("prompt", "x" * 100_000)])) is None


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [40_000, -40_000, (1 << 31) - 1])
def test_enums_must_fit_their_columns(number: int) -> None:
    assert verdict_on_span(span(kind=number)) == Reason.NUMBER_OUT_OF_RANGE
    failed = span()
    failed.status.code = number  # type: ignore[assignment] # no member of the enum
    assert verdict_on_span(failed) == Reason.NUMBER_OUT_OF_RANGE
    assert verdict_on_log(severity_number=number) == Reason.NUMBER_OUT_OF_RANGE


def test_enum_members_newer_than_ours_are_taken() -> None:
    assert verdict_on_span(span(kind=9)) is None
    assert verdict_on_span(span(status=Status(code=7))) is None  # type: ignore[arg-type] # no member of the enum
    assert verdict_on_log(severity_number=99) is None


def test_a_temporality_must_be_one_that_can_be_computed_with() -> None:
    total = Metric(name="sum")
    total.sum.data_points.append(point())
    total.sum.aggregation_temporality = 2  # type: ignore[assignment] # cumulative
    assert verdict_on_metric(total) is None
    total.sum.aggregation_temporality = 3  # type: ignore[assignment] # no member of the enum
    assert verdict_on_metric(total) == Reason.NUMBER_OUT_OF_RANGE


@pytest.mark.parametrize(
    "fields",
    [
        {"count": BEYOND_BIGINT},
        {"bucket_counts": [1, BEYOND_BIGINT], "explicit_bounds": [0.5]},
        {"start_time_unix_nano": BEYOND_BIGINT},
    ],
)
def test_counts_of_a_histogram_must_fit_their_columns(fields: dict[str, object]) -> None:
    assert verdict_on_metric(histogram(count=BEYOND_BIGINT - 1)) is None
    assert verdict_on_metric(histogram(**fields)) == Reason.NUMBER_OUT_OF_RANGE


@pytest.mark.parametrize("part", ["positive", "negative", "zero_count"])
def test_counts_of_an_exponential_histogram_must_fit_their_columns(part: str) -> None:
    def metric(count: int) -> Metric:
        made = Metric(name="exponential")
        data_point = made.exponential_histogram.data_points.add(time_unix_nano=NOW_NS)
        if part == "zero_count":
            data_point.zero_count = count
        else:
            getattr(data_point, part).bucket_counts.extend([0, 1, count, 1])
        return made

    assert verdict_on_metric(metric(BEYOND_BIGINT - 1)) is None
    assert verdict_on_metric(metric(BEYOND_BIGINT)) == Reason.NUMBER_OUT_OF_RANGE


# --- sizes ----------------------------------------------------------------------------------------


def test_a_record_has_at_most_so_many_bytes() -> None:
    limits = Limits(record_bytes_max=10_000)
    request = traces(
        span(),
        span(attributes=[text("k", "x" * 10_000)]),
        span(attributes=[text("k", "x" * 9_000)]),
    )
    assert refused(Signal.TRACES, request, limits) == {1: Reason.RECORD_TOO_LARGE}


@pytest.mark.parametrize("signal", Signal)
def test_attributes_of_a_resource_count_against_all_its_records(signal: Signal) -> None:
    large = Resource(attributes=[text("a", "x" * 6_000), text("b", "x" * 6_000)])
    limits = Limits(record_bytes_max=10_000)
    request: Request
    if signal is Signal.TRACES:
        request = traces(span(), resource=large)
        request.resource_spans.extend(traces(span()).resource_spans)
    elif signal is Signal.METRICS:
        request = metrics(gauge(point()), resource=large)
        request.resource_metrics.extend(metrics(gauge(point())).resource_metrics)
    else:
        request = logs(log_record(), resource=large)
        request.resource_logs.extend(logs(log_record()).resource_logs)
    assert refused(signal, request, limits) == {0: Reason.RECORD_TOO_LARGE}


def test_attributes_of_a_scope_count_against_all_its_records() -> None:
    request = traces(span())
    scope_spans = request.resource_spans[0].scope_spans
    scope_spans.add().spans.append(span())
    scope_spans[1].scope.attributes.append(text("a", "x" * 10_001))
    limits = Limits(record_bytes_max=10_000)
    assert refused(Signal.TRACES, request, limits) == {1: Reason.RECORD_TOO_LARGE}


def test_more_records_than_a_request_may_have_are_too_large() -> None:
    with pytest.raises(TooLargeError):
        checked(Signal.TRACES, good_request(Signal.TRACES, 6), Limits(records_max=5))


# --- metrics that say nothing ---------------------------------------------------------------------


def test_a_metric_needs_a_name() -> None:
    assert verdict_on_metric(gauge(point(), name="")) == Reason.EMPTY_METRIC


def test_a_point_needs_a_value_or_says_that_it_has_none() -> None:
    valueless = point()
    valueless.ClearField("as_double")
    assert verdict_on_metric(gauge(valueless)) == Reason.EMPTY_METRIC
    valueless.flags = 1
    assert verdict_on_metric(gauge(valueless)) is None


def test_a_value_of_zero_is_a_value() -> None:
    assert verdict_on_metric(gauge(point(as_double=0.0))) is None
    assert verdict_on_metric(gauge(point(as_int=0))) is None
