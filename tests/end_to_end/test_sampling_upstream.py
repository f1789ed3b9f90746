"""OpenTelemetry's own SDK samples before we do, and what is told still stands for all there was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, TraceIdRatioBased
from opentelemetry.trace import format_trace_id

from crucible_collector.candidates import THRESHOLD_MAX
from databases import TestServer
from harness import Collector, collector, eventually
from thinned import SURE, decided, in_all, rows
from traffic import batch_span, export, key_value, trace_request

composable = pytest.importorskip(
    "opentelemetry.sdk.trace._sampling_experimental",
    reason="this OpenTelemetry SDK has no consistent probability sampler",
)

TRACES, CHILDREN = 3_000, 1
THEIRS, STRICTER, LOOSER = 0.25, 0.1, 0.5
SETTINGS = {
    "rules": [
        {"name": name, "experiments": [name], "strategy": "uniform", "probability": probability}
        for name, probability in (("stricter", STRICTER), ("looser", LOOSER), ("untold", LOOSER))
    ]
}


@pytest.fixture(scope="module")
def place(plain_server: TestServer) -> Iterator[str]:
    with plain_server.database() as dsn:
        yield dsn


@pytest.fixture(scope="module")
def running(place: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    told = ("--sampling", json.dumps(SETTINGS))
    with collector(tmp_path_factory.mktemp("upstream") / "data", place, *told) as one:
        yield one


def consistent(probability: float) -> Sampler:
    """Each span decides for itself by its trace's randomness, so a trace's spans agree."""
    ratio = composable.composable_traceid_ratio_based(probability)
    sampler: Sampler = composable.composite_sampler(ratio)
    return sampler


def traced(running: Collector, experiment: str, sampler: Sampler) -> set[str]:
    """Record TRACES traces with children; returns the ids of those that the SDK has sent."""
    exporter = OTLPSpanExporter(running.addresses["grpc"], insecure=True)
    provider = TracerProvider(sampler=sampler, resource=Resource({"service.name": "upstream"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=1 << 16))
    tracer = provider.get_tracer("upstream")
    sent = set()
    for _ in range(TRACES):
        with tracer.start_as_current_span("outer") as outer:
            # Not as they start: this sampler of the SDK (1.45) loses what they start with.
            outer.set_attribute("crucible.experiment.id", experiment)
            for _ in range(CHILDREN):
                inner = tracer.start_span("inner")
                inner.set_attribute("crucible.experiment.id", experiment)
                inner.end()
        if outer.get_span_context().trace_flags.sampled:
            sent.add(format_trace_id(outer.get_span_context().trace_id))
    assert provider.force_flush()
    provider.shutdown()
    return sent


def await_decided(running: Collector, spans: int) -> None:
    eventually(lambda: decided(running) == spans, "all that was sent is decided", 60)


@pytest.fixture(scope="module")
def told(running: Collector) -> dict[str, set[str]]:
    """Experiment -> the traces that the SDK has sent of it."""
    samplers = {
        "alone": consistent(THEIRS),
        "stricter": consistent(THEIRS),
        "looser": consistent(THEIRS),
        "untold": TraceIdRatioBased(THEIRS),  # says nothing of its probability
        "everything": ALWAYS_ON,
    }
    sent = {name: traced(running, name, sampler) for name, sampler in samplers.items()}
    await_decided(running, (1 + CHILDREN) * sum(map(len, sent.values())))
    return sent


def described(dsn: str, experiment: str) -> list[tuple[Any, ...]]:
    """The distinct probabilities of an experiment's rows, and how they came about."""
    question = (
        "select distinct round(sample_probability::numeric, 6)::float8, keep_reason,"
        " upstream_threshold is not null from crucible.spans"
        f" where experiment_id = '{experiment}'"
    )
    return rows(dsn, question)


@pytest.mark.parametrize(
    ("experiment", "probability", "reason"),
    [
        ("alone", THEIRS, "upstream"),
        ("stricter", STRICTER, "random"),
        ("looser", THEIRS, "random"),
    ],
)
def test_what_the_sdk_sampled_stands_for_all_that_it_saw(
    running: Collector, place: str, told: dict[str, set[str]], experiment: str,
    probability: float, reason: str,
) -> None:  # fmt: skip
    """The stricter of both thresholds is a row's, whichever of us it is of."""
    assert described(place, experiment) == [(probability, reason, True)]
    assert len(told[experiment]) < TRACES
    row = in_all(running, experiment)
    spans = (1 + CHILDREN) * TRACES
    assert row["estimated"]
    assert abs(row["count"] - spans) <= SURE * row["count_standard_error"]
    low, high = row["count_interval"]
    assert low < row["count"] < high


def test_ours_leaves_out_none_that_theirs_keeps_under_a_stricter_threshold(
    place: str, told: dict[str, set[str]]
) -> None:
    question = "select distinct replace(trace_id::text, '-', '') from crucible.spans where experiment_id = '{}'"
    looser = {each[0] for each in rows(place, question.format("looser"))}
    assert looser == told["looser"]
    stricter = {each[0] for each in rows(place, question.format("stricter"))}
    bound = round((1 - STRICTER) * THRESHOLD_MAX)
    assert stricter == {each for each in told["stricter"] if int(each[-14:], 16) >= bound}


def test_a_sampler_that_does_not_say_its_probability_leaves_ours_alone(
    running: Collector, place: str, told: dict[str, set[str]]
) -> None:
    """Estimates are of what was sent, and rows say that nobody upstream told anything."""
    assert described(place, "untold") == [(LOOSER, "random", False)]
    row = in_all(running, "untold")
    sent = (1 + CHILDREN) * len(told["untold"])
    assert abs(row["count"] - sent) <= SURE * row["count_standard_error"]


def test_what_was_recorded_whole_is_exact(
    running: Collector, place: str, told: dict[str, set[str]]
) -> None:
    assert len(told["everything"]) == TRACES
    row = in_all(running, "everything")
    assert (row["count"], row["estimated"]) == ((1 + CHILDREN) * TRACES, False)


@pytest.mark.parametrize("experiment", ["alone", "stricter", "looser"])
def test_the_final_threshold_is_in_the_tracestate(
    place: str, told: dict[str, set[str]], experiment: str
) -> None:
    """So that whoever gets the rows from here knows what they stand for."""
    assert told[experiment]
    question = (
        "select distinct trace_state, sample_threshold from crucible.spans"
        f" where experiment_id = '{experiment}'"
    )
    ((state, threshold),) = rows(place, question)
    hexadecimal = f"{threshold:014x}".rstrip("0") or "0"
    assert state == f"ot=th:{hexadecimal}"


def test_randomness_and_threshold_set_by_hand_decide(
    running: Collector, place: str, told: dict[str, set[str]]
) -> None:
    """`rv` is the randomness whatever the trace's id; a threshold above it contradicts it and is no word."""
    assert told
    before = rows(place, "select count(*) from crucible.spans")[0][0]
    spans = [
        batch_span(0, trace_state="ot=th:8;rv:80000000000000"),
        batch_span(1, trace_state="ot=th:8;rv:7fffffffffffff"),
        batch_span(2, trace_state="ot=rv:ffffffffffffff"),
        batch_span(3, trace_state="ot=rv:00000000000000"),
    ]
    for span in spans[2:]:
        span.attributes.append(key_value("crucible.experiment.id", "stricter"))
    export(running.addresses["grpc"], trace_request(spans))
    eventually(
        lambda: rows(place, "select count(*) from crucible.spans") == [(before + 3,)],
        "three of four are kept",
    )
    found = rows(
        place,
        "select step, sample_probability from crucible.spans where step is not null order by step",
    )
    assert [step for step, _ in found] == [0, 1, 2]
    assert [probability for _, probability in found] == [0.5, 1.0, pytest.approx(STRICTER)]
