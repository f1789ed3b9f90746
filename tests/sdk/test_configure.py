"""Arguments over environment over defaults, and the ways of being off."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import crucible_telemetry as crucible
from crucible_telemetry import settings, telemetry
from crucible_telemetry.delivery import THREAD_NAME
from crucible_telemetry.testing import capture


def resolved(**arguments: Any) -> settings.Settings:
    return settings.resolve(**{"heartbeat_s": settings.HEARTBEAT_S, **arguments})


DEFAULTS = settings.Settings("grpc", None, None, 10_000, 512, 0.25, 5.0)


def resource() -> dict[str, Any]:
    return dict(telemetry.current().provider.resource.attributes)  # type: ignore[union-attr]


def test_defaults() -> None:
    assert resolved() == DEFAULTS


def test_the_environment_decides_what_no_argument_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    assert resolved().protocol == "http/protobuf"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
    assert resolved().protocol == "grpc"
    assert resolved(protocol="http/protobuf").protocol == "http/protobuf"
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "77")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "7")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1500")
    assert resolved().queue_spans_max == 77
    assert resolved().batch_spans_max == 7
    assert resolved().export_interval_s == 1.5
    assert resolved(queue_spans_max=5).queue_spans_max == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
    ],
)
def test_a_wrong_environment_variable_is_named_and_ignored(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    assert resolved() == DEFAULTS
    assert name in caplog.text
    assert value in caplog.text


@pytest.mark.parametrize(
    ("argument", "accepted"),
    [
        ({"protocol": "http/json"}, "grpc or http/protobuf"),
        ({"queue_spans_max": 0}, "at least 1"),
        ({"exit_timeout_s": -1.0}, "above 0"),
        ({"export_interval_s": float("nan")}, "above 0"),
    ],
)
def test_a_wrong_argument_raises_and_says_what_is_accepted(
    argument: dict[str, Any], accepted: str
) -> None:
    with pytest.raises(crucible.ConfigurationError, match=accepted) as caught:
        crucible.configure(**argument)
    assert next(iter(argument)) in str(caught.value)


def test_the_resource_names_service_host_and_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-environment")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=node-7,team=vision")
    crucible.configure(exporter=InMemorySpanExporter())
    found = resource()
    assert found["service.name"] == "from-environment"
    assert found["host.name"] == "node-7"
    assert found["team"] == "vision"
    assert isinstance(found["process.pid"], int)
    crucible.configure(
        "trainer", resource_attributes={"team": "nlp"}, exporter=InMemorySpanExporter()
    )
    assert resource()["service.name"] == "trainer"
    assert resource()["team"] == "nlp"


@pytest.mark.parametrize(
    ("name", "value"),
    [("CRUCIBLE_TELEMETRY", "0"), ("CRUCIBLE_TELEMETRY", "off"), ("OTEL_SDK_DISABLED", "true")],
)
def test_the_switch_turns_everything_off_and_says_nothing(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter)
    with crucible.training() as training:
        for epoch in training.epochs(2):
            for batch in epoch.batches(range(2)):
                batch.log(loss=1.0)
        assert training.run_id
        assert len(training.correlation_id) == 32
    assert crucible.flush()
    assert exporter.get_finished_spans() == ()
    assert caplog.records == []


def test_without_configure_nothing_is_sent_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(3):
        with crucible.experiment("sweep") as experiment, experiment.training() as training:
            training.log(loss=1.0)
    assert [record.message.split(":")[0] for record in caplog.records] == ["Nothing is recorded"]
    assert crucible.counts()["accepted"] == 0


def test_the_global_tracer_provider_is_left_alone() -> None:
    before = trace.get_tracer_provider()
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter)
    with crucible.training():
        assert not trace.get_current_span().get_span_context().is_valid
    assert trace.get_tracer_provider() is before
    assert crucible.flush()
    assert len(exporter.get_finished_spans()) == 2


def test_a_shared_provider_gets_the_spans_and_users_spans_get_parents() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    crucible.configure(tracer_provider=provider)
    with provider.get_tracer("user").start_as_current_span("around"), crucible.training():
        with provider.get_tracer("user").start_as_current_span("inside"):
            pass
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["inside"].parent == spans["crucible_train.training"].context
    assert [link.context for link in spans["crucible_train.training"].links] == [
        spans["around"].context
    ]
    assert spans["crucible_train.training"].parent is None
    exporter.clear()
    with crucible.experiment("sweep") as experiment, experiment.training():
        pass
    spans = {span.name: span for span in exporter.get_finished_spans()}
    around = spans["crucible_telemetry.experiment"].context
    assert [link.context for link in spans["crucible_train.training"].links] == [around]
    assert crucible.shutdown()
    with provider.get_tracer("user").start_as_current_span("after"):
        pass
    assert exporter.get_finished_spans()[-1].name == "after"


def test_configuring_again_delivers_what_the_first_configuration_held() -> None:
    first, second = InMemorySpanExporter(), InMemorySpanExporter()
    crucible.configure(exporter=first)
    with crucible.training():
        pass
    crucible.configure(exporter=second)
    with crucible.training():
        pass
    assert crucible.shutdown()
    assert len(first.get_finished_spans()) == len(second.get_finished_spans()) == 2


def test_an_exporter_that_cannot_be_made_leaves_the_experiment_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli")
    crucible.configure()
    with crucible.training() as training:
        training.log(loss=1.0)
    assert "could not be made" in caplog.text


class Broken(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        raise RuntimeError("broken")

    def shutdown(self) -> None:
        raise RuntimeError("broken")


def test_nothing_that_breaks_inside_reaches_the_experiment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crucible.configure(exporter=Broken())
    monkeypatch.setattr("opentelemetry.sdk.trace.Tracer.start_span", None)
    done = []
    with crucible.experiment("sweep", tags=[object()]) as experiment:  # type: ignore[list-item]
        with experiment.training(run_id=object(), epochs="x") as training:  # type: ignore[arg-type]
            for epoch in training.epochs(2):
                for batch in epoch.batches(range(2)):
                    batch.log({1: 2}, loss=object())  # type: ignore[dict-item]
                    done.append(batch.data)
                epoch.log(3)  # type: ignore[arg-type]
            training.checkpoint(object())  # type: ignore[arg-type]
    assert crucible.flush() in {True, False}
    assert crucible.shutdown() in {True, False}
    assert done == [0, 1, 0, 1]
    assert crucible.counts()["fault.error"] > 0
    assert len([record for record in caplog.records if "failed" in record.message]) == 1


def test_capture_stands_in_for_the_configuration_and_gives_it_back() -> None:
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter)
    with capture() as captured, crucible.training():
        pass
    assert len(captured.spans) == 2
    with crucible.training():
        pass
    assert crucible.shutdown()
    assert len(exporter.get_finished_spans()) == 2


def test_importing_the_sdk_loads_no_transport() -> None:
    code = (
        "import sys, crucible_telemetry;"
        "print([name for name in ('grpc', 'requests', 'numpy', 'asyncio') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(("limit", "length"), [(None, 65_536), ("100", 100)])
def test_a_huge_message_is_cut_where_the_environment_says_or_at_64_ki(
    limit: str | None, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", limit)
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter)
    with pytest.raises(ValueError, match="x"), crucible.training():
        raise ValueError("x" * 200_000)
    assert crucible.flush()
    (event,) = exporter.get_finished_spans()[-1].events
    assert len(str((event.attributes or {})["exception.message"]).encode()) == length


def test_of_many_threads_that_configure_one_configuration_is_left() -> None:
    threads = [
        threading.Thread(target=crucible.configure, kwargs={"spool_dir": ""}) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = [thread.name for thread in threading.enumerate() if thread.name == THREAD_NAME]
    assert left == [THREAD_NAME]


def test_resource_attributes_that_cannot_be_sent_lose_themselves_alone() -> None:
    exporter = InMemorySpanExporter()
    wrong: Any = {"\ud800": 1, 3: 4, "": 5, "none": None, "team": "vision"}
    crucible.configure(exporter=exporter, resource_attributes=wrong)
    crucible.event("my_team.thing.happened")
    assert crucible.shutdown()
    (span,) = exporter.get_finished_spans()
    told = dict(span.resource.attributes)
    assert (told["?"], told["3"], told["team"]) == (1, 4, "vision")
    assert not {"", "none"} & set(told)
