"""Which numbers detectors see of spans, whose they are, and in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from crucible_collector.detect.names import names_of
from crucible_collector.detect.observations import NO_SERIES, NO_STEP, Source, Subject
from crucible_collector.enrich.observed import observe_spans
from crucible_collector.enrich.spans import add_spans
from crucible_collector.enrich.subscription import Subscription
from crucible_collector.enrich.window import Collected, Known
from observing import Observer, everything, observing, of, told
from rows_of import at, resource_of, span_of, traces

LOSS = "crucible.measurement.loss"
COST = "crucible.measurement.cost_usd"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
STOP, EXCEPTION = "crucible_deployment.inference.stop", "crucible_deployment.inference.exception"
BATCH = "crucible_train.batch.stop"


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Observer]:
    with observing(tmp_path / "journal") as one:
        yield one


def batch(number: int, took_s: float = 0.5, /, **attributes: str | float) -> Span:
    """A batch that ended `number` seconds after the others' receipt."""
    span = span_of(
        number + 1,
        "crucible_train.batch",
        **{"crucible.run.id": "run", "crucible.step": number, **attributes},
    )
    span.start_time_unix_nano, span.end_time_unix_nano = at(number - took_s), at(number)
    return span


def inference(number: int, failed: bool = False, /, **attributes: str | float) -> Span:
    span = span_of(number, "crucible_deployment.inference", **attributes)
    if failed:
        span.status.code = Status.STATUS_CODE_ERROR
    return span


def test_a_measurement_that_is_a_series_is_observed_as_its_point(observer: Observer) -> None:
    span = batch(7, **{LOSS: 0.25, "crucible.epoch": 2})
    observed = observer.spans(traces(batch(3)), traces(batch(4), span), wants=of(Source.POINT))
    assert observed is not None
    assert told(observed) == [(BATCH, "loss", 0.25)]
    assert observed.time_ns.tolist() == [at(7)]
    assert (observed.step.tolist(), observed.epoch.tolist()) == ([7], [2])
    assert (observed.record.tolist(), observed.request.tolist()) == ([2], [1])
    assert observed.index.tolist() == [1]
    assert observed.trace_id[0].tobytes() == span.trace_id
    assert observed.span_id[0] == int.from_bytes(span.span_id)
    assert observed.is_ordered.all()
    assert not observed.is_cumulative.any()
    assert observed.record_count == 3


def test_the_key_of_a_point_is_the_id_of_its_stored_series(observer: Observer) -> None:
    looked = observer.look(
        traces(
            *(batch(n, **{LOSS: 0.5, "accuracy": 0.5, "crucible.rank": n % 2}) for n in range(4))
        )
    )
    observed = observe_spans(looked, observer.collected, everything)
    assert observed is not None
    add_spans(looked, None, observer.collected)
    is_point = observed.series_id != NO_SERIES
    assert set(observed.series_id.tolist()) - {NO_SERIES} == set(observer.collected.series.rows)
    assert (observed.key[is_point] == observed.series_id[is_point]).all()
    assert len(set(observed.key[is_point].tolist())) == 2


def test_what_is_stored_does_not_depend_on_what_is_observed(observer: Observer) -> None:
    request = traces(
        *(batch(9 - n, **{LOSS: n, "train/loss": n + 1.0, COST: 1.0}) for n in range(5)),
        inference(20, **{"crucible.measurement.time_to_first_token_ms": 3.0}),
    )
    plain = observer.look(request)
    add_spans(plain, None, observer.collected)
    (alone,) = observer.collected.tables
    looked, collected = observer.look(request), Collected(Known((), (), ()))
    assert observe_spans(looked, collected, everything) is not None
    add_spans(looked, None, collected)
    (after,) = collected.tables
    assert after.batch.equals(alone.batch)
    assert collected.series.rows == observer.collected.series.rows


def test_a_number_under_another_name_is_observed_in_the_registrys_terms(observer: Observer) -> None:
    observed = observer.spans(
        traces(
            batch(
                1, **{"megatron.training.memory_allocated_gb": 2.0, LOSS: 1.0, "megatron.loss": 9.0}
            ),
            inference(2, **{"llm.cost.total": 0.5, "gen_ai.usage.prompt_tokens": 12}),
        ),
        wants=of(Source.POINT, Source.SPAN),
    )
    assert sorted(told(observed)) == [
        (STOP, "cost_usd", 0.5),
        (STOP, "input_tokens", 12.0),
        (BATCH, "gpu_memory_allocated_bytes", 2.0 * 2**30),
        (BATCH, "loss", 1.0),
    ]


def test_measurements_that_stay_on_spans_are_observed_where_they_are_wanted(
    observer: Observer,
) -> None:
    first = "crucible.measurement.time_to_first_token_ms"
    own = {first: 40.0, COST: 0.25, "crucible.measurement.whatever": 3.0}

    def wants(subject: Subject) -> bool:
        return subject.source is Source.SPAN and subject.metric != "whatever"

    observed = observer.spans(traces(inference(1, **own), span_of(2, "x", **own)), wants=wants)
    assert sorted(told(observed)) == [
        (STOP, "cost_usd", 0.25),
        (STOP, "time_to_first_token_ms", 40.0),
        ("x", "cost_usd", 0.25),
        ("x", "time_to_first_token_ms", 40.0),
    ]
    assert observed is not None
    assert (observed.series_id == NO_SERIES).all()
    assert not observed.is_ordered.any()
    assert (observed.step == NO_STEP).all()


def test_wants_is_asked_once_for_each_subject_of_a_window(observer: Observer) -> None:
    asked: list[Subject] = []

    def wants(subject: Subject) -> bool:
        asked.append(subject)
        return subject.source is not Source.DURATION

    observer.spans(
        traces(*(inference(n, n % 2 == 1, **{COST: 1.0}) for n in range(1, 9))), wants=wants
    )
    assert len(asked) == len(set(asked))
    assert set(asked) == {
        Subject(Source.SPAN, STOP, "cost_usd"),
        Subject(Source.SPAN, EXCEPTION, "cost_usd"),
        Subject(Source.DURATION, STOP, "duration_ms"),
        Subject(Source.DURATION, EXCEPTION, "duration_ms"),
        Subject(Source.STATUS, STOP, "error_rate"),
    }


def test_only_what_is_wanted_and_accepted_is_observed(tmp_path: Path) -> None:
    with observing(tmp_path / "journal", Subscription(deny=("noise",))) as observer:
        request = traces(span_of(1, "a"), span_of(2, "noise.x"), span_of(3, "b"), span_of(4, "a"))
        observed = observer.spans(request, wants=of(Source.DURATION), refused=(3,))
    assert told(observed) == [("a", "duration_ms", 1000.0), ("b", "duration_ms", 1000.0)]


def test_nothing_is_made_where_nothing_is_wanted(observer: Observer) -> None:
    request = traces(batch(1, **{LOSS: 0.5}), inference(2, **{COST: 1.0}))
    assert observer.spans(request, wants=lambda _: False) is None


def test_an_event_is_as_long_as_it_took_and_one_without_length_tells_none(
    observer: Observer,
) -> None:
    point, backwards, marker = (
        span_of(1, "x"),
        span_of(2, "y"),
        span_of(3, "crucible_train.epoch.start"),
    )
    point.start_time_unix_nano = point.end_time_unix_nano
    backwards.end_time_unix_nano = backwards.start_time_unix_nano - 5
    marker.end_time_unix_nano = marker.start_time_unix_nano
    measured = span_of(4, "crucible_train.checkpoint.saved")
    measured.start_time_unix_nano = measured.end_time_unix_nano - 1_500_000
    request = traces(point, backwards, marker, measured)
    observed = observer.spans(request, wants=of(Source.DURATION))
    assert told(observed) == [("crucible_train.checkpoint.saved", "duration_ms", 1.5)]


def test_both_ends_of_a_life_cycle_are_one_rate_of_errors(observer: Observer) -> None:
    observed = observer.spans(
        traces(*(inference(n, n == 2) for n in (1, 2, 3))), wants=of(Source.STATUS)
    )
    assert told(observed) == [
        (STOP, "error_rate", 0.0),
        (STOP, "error_rate", 1.0),
        (STOP, "error_rate", 0.0),
    ]
    assert observed is not None
    assert len(set(observed.key.tolist())) == 1


def test_start_markers_and_heartbeats_have_no_rate_of_errors(observer: Observer) -> None:
    names = ("crucible_train.epoch.start", "crucible_telemetry.run.heartbeat", "foreign")
    request = traces(*(span_of(n, name) for n, name in enumerate(names, 1)))
    assert told(observer.spans(request, wants=of(Source.STATUS))) == [
        ("foreign", "error_rate", 0.0)
    ]


def test_the_steps_of_a_training_are_those_of_each_rank_at_their_ends(observer: Observer) -> None:
    spans = [
        batch(n, 0.5, **{"crucible.run.id": run}, **{"crucible.rank": rank})
        for n, (run, rank) in enumerate([("a", 0), ("a", 1), ("b", 0), ("a", 0)], 1)
    ]
    observed = observer.spans(
        traces(*spans), traces(span_of(9, "crucible_train.epoch")), wants=of(Source.STEP)
    )
    assert told(observed) == [(BATCH, "steps_per_second", 1.0)] * 4
    assert observed is not None
    assert observed.time_ns.tolist() == [at(n) for n in range(1, 5)]
    one, other, another, again = observed.key.tolist()
    assert one == again
    assert len({one, other, another}) == 3
    assert observed.is_ordered.all()
    assert (observed.series_id == NO_SERIES).all()


@pytest.mark.parametrize(
    ("name", "differs"),
    [
        ("crucible.experiment.id", True),
        ("crucible.run.id", True),
        ("crucible.condition", True),
        ("gen_ai.request.model", True),
        ("service.name", False),
        ("user", False),
    ],
)
def test_an_event_is_followed_by_experiment_run_condition_and_model(
    observer: Observer, name: str, differs: bool
) -> None:
    own = {"crucible.run.id": "run", "service.name": "s"}
    request = traces(*(inference(n, **{**own, name: f"value-{n}"}) for n in (1, 2)))
    observed = observer.spans(request, wants=of(Source.STATUS))
    assert observed is not None
    assert (len(set(observed.key.tolist())) == 2) is differs


def test_without_a_run_the_service_tells_events_apart(observer: Observer) -> None:
    services = [
        traces(inference(n), resource=resource_of(service__name=f"s{n}")) for n in (1, 2, 1)
    ]
    as_run = traces(inference(4, **{"crucible.run.id": "s1"}))
    observed = observer.spans(*services, as_run, wants=of(Source.STATUS))
    assert observed is not None
    one, other, again, of_run = observed.key.tolist()
    assert one == again
    assert len({one, other, of_run}) == 3


def test_a_key_is_the_same_in_every_window_and_another_for_every_subject(
    observer: Observer,
) -> None:
    request = traces(inference(1, **{COST: 1.0, OUTPUT_TOKENS: 3}))
    one = observer.spans(request, wants=everything)
    padded = traces(span_of(3, "else"), *request.resource_spans[0].scope_spans[0].spans)
    other = observer.spans(padded, wants=everything)
    assert one is not None
    assert other is not None
    assert len(set(one.key.tolist())) == len(one) == 4
    assert set(one.key.tolist()) < set(other.key.tolist())


def test_numbers_of_a_series_come_in_order_of_time_whatever_the_wires(observer: Observer) -> None:
    random = np.random.default_rng(1)
    numbers = random.permutation(200).tolist()
    requests = [
        traces(
            *(
                batch(n, 0.5, **{"crucible.run.id": f"r{n % 3}"}, **{LOSS: 0.5, OUTPUT_TOKENS: n})
                for n in part
            )
        )
        for part in (numbers[:70], numbers[70:150], numbers[150:])
    ]
    observed = observer.spans(*requests, wants=everything)
    assert observed is not None
    assert {subject.source for subject in observed.subjects} >= {
        Source.POINT,
        Source.SPAN,
        Source.DURATION,
        Source.STATUS,
        Source.STEP,
    }
    for key in set(observed.key.tolist()):
        times = observed.time_ns[observed.key == key]
        assert len(times) >= 66
        assert (np.diff(times) > 0).all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 1e-310])
def test_values_are_observed_as_they_were_sent(observer: Observer, value: float) -> None:
    observed = observer.spans(traces(batch(1, **{LOSS: value})), wants=of(Source.POINT))
    assert [str(each) for _, _, each in told(observed)] == [str(value)]


def test_a_number_is_named_by_its_record_and_an_error_by_its_life_cycle(
    observer: Observer,
) -> None:
    own = {
        "crucible.experiment.id": "e",
        "crucible.run.id": "r",
        "crucible.condition": "c",
        "gen_ai.request.model": "m",
    }
    observed = observer.spans(
        traces(span_of(1, "other"), inference(2, True, **own)), wants=of(Source.STATUS)
    )
    assert observed is not None
    named = names_of(observed, 1)
    assert (named.key, named.series_id) == (observed.key[1], None)
    assert (named.metric, named.event_name) == ("error_rate", STOP)
    assert (named.experiment_id, named.run_id, named.condition, named.model) == tuple("ercm")
    unnamed = names_of(observed, 0)
    assert (unnamed.experiment_id, unnamed.run_id, unnamed.condition, unnamed.model) == (None,) * 4
