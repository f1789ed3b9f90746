"""The story in carriers of any form, and what hostile carriers do: nothing."""

from __future__ import annotations

import base64
import logging
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import crucible_telemetry as crucible
from crucible_telemetry.scope import current_scope
from crucible_telemetry.testing import Event, capture
from sdk.carried import story
from sdk.registered import only
from sdk.staged import PIPELINE, STAGE

TRAINING = "crucible_train.training.stop"


def identity(event: Event) -> dict[str, Any]:
    keys = ("experiment.id", "condition", "correlation.id", "run.id", "run.parent_id", "stage.name")
    return {key: event.attributes.get(f"crucible.{key}") for key in keys}


def test_a_carrier_is_w3cs_and_any_reader_understands_it() -> None:
    with capture(), story() as carrier:
        pass
    assert set(carrier) == {"traceparent", "baggage", "X-Correlation-Id"}
    assert carrier["X-Correlation-Id"] == "job 7"
    assert "+" not in carrier["baggage"]  # a space is %20, which is one to every reader
    assert "lr%20%3D%201e-3" in carrier["baggage"]
    read = baggage.get_all(propagate.extract(carrier))
    assert read["crucible.condition"] == "lr = 1e-3, é+;%"
    assert read["crucible.experiment.id"] == "sweep"


def test_what_is_extracted_goes_on_where_the_other_was() -> None:
    with capture() as captured:
        with story() as carrier:
            inside = trace.get_current_span(propagate.extract(carrier)).get_span_context()
        with crucible.extract(carrier):
            with crucible.stage("tokenise"):
                pass
            with crucible.training(run_id="inner"):
                pass
    stops = {
        stop.attributes["crucible.stage.name"]: stop for stop in captured.named(f"{STAGE}.stop")
    }
    nested = stops["tokenise"]
    assert nested.span.context.trace_id == inside.trace_id
    assert nested.span.parent is not None
    assert nested.span.parent.span_id == inside.span_id
    shared = {"experiment.id": "sweep", "condition": "lr = 1e-3, é+;%", "correlation.id": "job 7"}
    assert identity(nested) == {
        **shared, "run.id": "outer", "run.parent_id": None, "stage.name": "tokenise",
    }  # fmt: skip
    assert nested.attributes["crucible.pipeline.id"] == "p"
    training = only(captured, TRAINING)
    assert identity(training) == {
        **shared, "run.id": "inner", "run.parent_id": "outer", "stage.name": "train",
    }  # fmt: skip
    assert [link.context.span_id for link in training.span.links] == [inside.span_id]
    assert training.span.context.trace_id != inside.trace_id


def test_a_pipeline_in_another_process_shares_the_trace_of_the_stage_that_started_it() -> None:
    with capture() as captured:
        with story() as carrier:
            pass
        with crucible.extract(carrier), crucible.pipeline("child", run_id="child"):
            pass
    stops = {
        event.attributes["crucible.run.id"]: event for event in captured.named(f"{PIPELINE}.stop")
    }
    assert stops["child"].span.context.trace_id == stops["outer"].span.context.trace_id
    assert stops["child"].attributes["crucible.run.parent_id"] == "outer"


def environ(carrier: Mapping[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in carrier.items()}


@pytest.mark.parametrize(
    "form",
    [
        dict,
        lambda carrier: {name.upper(): value for name, value in carrier.items()},
        lambda carrier: {name.encode(): value.encode() for name, value in carrier.items()},
        lambda carrier: [
            (name.lower().encode(), value.encode()) for name, value in carrier.items()
        ],
        lambda carrier: {name: [value] for name, value in carrier.items()},
        environ,
    ],
    ids=["mapping", "upper-case", "bytes", "asgi", "lists", "wsgi"],
)
def test_carriers_come_in_any_form(form: Any) -> None:
    with capture() as captured:
        with story() as carrier:
            pass
        with crucible.extract(form(carrier)), crucible.training():
            pass
    assert identity(only(captured, TRAINING))["run.parent_id"] == "outer"


def test_an_environment_carries_the_same_under_its_own_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with capture() as captured:
        with story():
            variables = crucible.current_context(as_environment=True)
        assert set(variables) == {"TRACEPARENT", "BAGGAGE", "X_CORRELATION_ID"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with crucible.extract(), crucible.training():
            pass
    assert identity(only(captured, TRAINING))["correlation.id"] == "job 7"


def test_inside_a_batch_it_is_the_batch_that_is_carried() -> None:
    with capture() as captured, crucible.training() as training:
        for epoch in training.epochs(1):
            for _ in epoch.batches("a"):
                carrier = crucible.current_context()
    span_context = only(captured, "crucible_train.batch.stop").span.context
    ids = f"{span_context.trace_id:032x}-{span_context.span_id:016x}"
    assert carrier["traceparent"].startswith(f"00-{ids}-")


def test_inject_adds_to_headers_what_is_current_and_nothing_outside_recording() -> None:
    headers = {"accept": "text/html"}
    crucible.inject(headers)
    assert headers == {"accept": "text/html"}
    with capture(), story() as carrier:
        crucible.inject(headers)
    assert headers == {"accept": "text/html", **carrier}


def test_a_carrier_that_cannot_be_written_to_disturbs_nothing() -> None:
    class Frozen(dict[str, str]):
        def __setitem__(self, name: str, value: str) -> None:
            raise TypeError("frozen")

    with capture(), story():
        crucible.inject(Frozen())
    assert crucible.counts()["fault.error"] == 1


@pytest.mark.parametrize(
    "correlation_id",
    [
        base64.urlsafe_b64encode(bytes(range(240, 256))).rstrip(b"=").decode(),
        str(uuid.UUID(int=7)),
        "5b8aa5a2d2c872e8321cf37308d69df2",
        "a job, with=everything; and %",
    ],
)
def test_correlation_ids_of_all_kinds_come_through_and_from_their_own_header(
    correlation_id: str,
) -> None:
    with capture(), crucible.experiment("e", correlation_id=correlation_id):
        carrier = crucible.current_context()
    for headers in (carrier, {"x-correlation-id": correlation_id}):
        with capture(), crucible.extract(headers), crucible.training() as training:
            assert training.correlation_id == correlation_id


@pytest.mark.parametrize("correlation_id", ["two\r\nlines: x", "é", "\x00"])
def test_an_id_that_is_no_header_travels_in_the_baggage_alone(correlation_id: str) -> None:
    with capture(), crucible.experiment("e", correlation_id=correlation_id):
        carrier = crucible.current_context()
        assert "X-Correlation-Id" not in carrier
    assert all(value.isascii() and value.isprintable() for value in carrier.values())


def test_the_baggages_correlation_id_counts_more_than_a_gateways() -> None:
    headers = {"baggage": "crucible.correlation.id=ours", "X-Correlation-Id": "theirs"}
    with capture(), crucible.extract(headers), crucible.training() as training:
        assert training.correlation_id == "ours"


def test_a_traceparent_alone_gives_the_correlation_id_and_the_trace() -> None:
    headers = {"traceparent": f"00-{7:032x}-{9:016x}-01"}
    with capture() as captured, crucible.extract(headers), crucible.stage("serve"):
        pass
    stop = only(captured, f"{STAGE}.stop")
    assert stop.attributes["crucible.correlation.id"] == f"{7:032x}"
    assert (stop.span.context.trace_id, stop.span.parent.span_id if stop.span.parent else 0) == (
        7,
        9,
    )


def test_a_carrier_that_tells_nothing_changes_nothing() -> None:
    with capture() as captured, crucible.experiment("serving", condition="a") as experiment:
        with (
            crucible.extract({"X-Correlation-Id": None, "accept": "text/html"}),
            crucible.training(),
        ):
            pass
    stop = only(captured, TRAINING)
    assert stop.attributes["crucible.experiment.id"] == "serving"
    assert stop.attributes["crucible.correlation.id"] == experiment.correlation_id


def test_a_gateways_id_joins_a_request_and_leaves_it_in_the_experiment_of_the_service() -> None:
    with capture() as captured, crucible.experiment("serving", condition="a"):
        with crucible.extract({"X-Correlation-Id": "request-7"}), crucible.training():
            pass
    found = identity(only(captured, TRAINING))
    assert (found["experiment.id"], found["condition"]) == ("serving", "a")
    assert found["correlation.id"] == "request-7"


def test_another_experiments_story_replaces_this_ones_as_a_whole() -> None:
    with capture() as captured, crucible.experiment("serving", condition="a"):
        with crucible.extract({"baggage": "crucible.experiment.id=other"}), crucible.training():
            pass
    found = identity(only(captured, TRAINING))
    assert (found["experiment.id"], found["condition"]) == ("other", None)


def test_the_context_is_as_before_once_it_is_over_and_the_users_baggage_goes_along() -> None:
    before = context.get_current()
    headers = {"baggage": "user=7,crucible.run.id=r", "traceparent": f"00-{7:032x}-{9:016x}-01"}
    with capture(), crucible.extract(headers) as continuation:
        assert current_scope.get() is continuation
        assert baggage.get_baggage("user") == "7"
        assert "user=7" in crucible.current_context()["baggage"]
    assert context.get_current() is before
    assert current_scope.get() is None


def test_in_a_shared_provider_the_users_own_span_is_the_one_that_is_carried() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    crucible.configure(tracer_provider=provider, heartbeat_s=0)
    tracer = provider.get_tracer("user")
    with crucible.training():
        with tracer.start_as_current_span("theirs") as span:
            carrier = crucible.current_context()
    assert f"{span.get_span_context().span_id:016x}" in carrier["traceparent"]


def test_baggage_stays_within_its_limits_and_ours_comes_first() -> None:
    carried = context.get_current()
    for index in range(200):
        carried = baggage.set_baggage(f"key{index}", "x" * 100, carried)
    token = context.attach(carried)
    try:
        with capture(), story() as carrier:
            pass
    finally:
        context.detach(token)
    assert len(carrier["baggage"]) <= 8192
    assert carrier["baggage"].count(",") < 64
    assert "crucible.stage.name=train" in carrier["baggage"]
    assert crucible.counts()["fault.too_large"] >= 1


HOSTILE = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [
            "crucible.run.id=%00%01", "crucible.stage.index=-1", "crucible.stage.index=9" * 9,
            "crucible.run.id=" + "x" * 9000, "=,=,;=", "crucible.correlation.id=%ff%fe",
            "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-" + "1" * 32 + "-" + "1" * 16 + "-01",
            "crucible.loop.index=99999999999999999999999", ",".join(["a=b"] * 999),
        ]
    ),
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(
            ["traceparent", "tracestate", "baggage", "X-Correlation-Id", "X_CORRELATION_ID"]
        ),
        st.one_of(HOSTILE, st.binary(max_size=50), st.none(), st.lists(HOSTILE, max_size=3)),
    )
)
def test_whatever_a_carrier_holds_nothing_is_raised_or_logged_and_all_fits(
    carrier: dict[str, Any],
) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign,assignment]
    logging.getLogger("opentelemetry").addHandler(handler)
    try:
        with capture() as captured, crucible.extract(carrier), crucible.stage("serve"):
            pass
    finally:
        logging.getLogger("opentelemetry").removeHandler(handler)
    assert records == []
    stop = only(captured, f"{STAGE}.stop")
    for key, value in stop.attributes.items():
        if isinstance(value, str):
            assert len(value.encode()) <= 256, key
    assert 1 <= len(stop.attributes["crucible.correlation.id"]) <= 128


@pytest.mark.parametrize("carrier", [7, [1, 2], object(), {1: 2}])
def test_what_is_no_carrier_is_counted_and_the_work_goes_on(carrier: Any) -> None:
    with capture() as captured, crucible.extract(carrier), crucible.stage("serve"):
        pass
    assert len(captured.named(f"{STAGE}.stop")) == 1
