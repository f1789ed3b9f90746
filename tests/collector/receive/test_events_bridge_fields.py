"""Where the fields of an event of the Elixir packages go: attributes, measurements, the resource."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.receive.bridging import attributes_of, bridged, event, span_of

ERROR = 2  # OTLP Status.StatusCode


def test_a_field_s_own_name_counts_before_its_alias_and_neither_is_lost() -> None:
    span = span_of(
        event("crucible_train.epoch.stop", measurements={"epoch_loss": 1.0, "loss": 2.0})
    )
    assert attributes_of(span) == {
        "crucible.measurement.loss": 2.0,
        "crucible.epoch.epoch_loss": 1.0,
    }


def test_fields_within_maps_are_found_and_the_rest_of_the_map_is_kept() -> None:
    span = span_of(
        event(
            "crucible_deployment.inference.stop",
            metadata={"tokens": {"prompt": 10, "completion": 5, "wasted": 1}, "cost": 0.5},
        )
    )
    assert attributes_of(span) == {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "crucible.inference.tokens": '{"wasted": 1}',
        "crucible.measurement.cost_usd": 0.5,
    }


@pytest.mark.parametrize(
    ("name", "model", "key", "told"),
    [
        (
            "req_llm.request.stop",
            {"id": "gpt-4o", "name": "GPT-4o"},
            "gen_ai.request.model",
            "gpt-4o",
        ),
        ("req_llm.request.stop", {"model": "gpt-4o"}, "gen_ai.request.model", "gpt-4o"),
        (
            "crucible_xai.explanation.generated",
            {"id": 7, "name": "mlp"},
            "crucible.model.name",
            "mlp",
        ),
        ("req_llm.request.stop", {"other": 1}, "gen_ai.request.model", '{"other": 1}'),
    ],
)
def test_a_model_put_down_whole_goes_by_its_name_and_nothing_of_it_is_lost(
    name: str, model: dict[str, Any], key: str, told: str
) -> None:
    found = attributes_of(span_of(event(name, metadata={"model": model})))
    assert found[key] == told
    assert json.dumps(model) in found.values()


def test_values_have_the_registry_s_types() -> None:
    span = span_of(
        event(
            "crucible_train.epoch.stop",
            measurements={"loss": 1, "steps": 100.0, "accuracy": "NaN"},
            metadata={"run_id": 7, "epoch": 3.0, "tags": "one"},
        )
    )
    found = attributes_of(span)
    assert found["crucible.run.id"] == "7"
    assert found["crucible.experiment.tags"] == ["one"]
    for key, value in (("loss", 1.0), ("steps", 100)):
        assert found[f"crucible.measurement.{key}"] == value
        assert type(found[f"crucible.measurement.{key}"]) is type(value)
    assert math.isnan(found["crucible.measurement.accuracy"])
    assert type(found["crucible.epoch"]) is int


def test_a_measurement_that_is_a_word_is_an_attribute() -> None:
    span = span_of(
        event("cns_ui.api.list_runs", measurements={"duration_ms": 2, "result": "error"})
    )
    assert span.status.code == ERROR
    assert "error" in attributes_of(span).values()


def test_the_source_is_the_resource_and_the_package_the_scope() -> None:
    source = {"service": "trainer", "version": "1.2", "host": "node", "pid": 17, "zone": "b"}
    made = bridged(event("crucible_train.epoch.stop", source=source), event("a.b.c"))
    request = ExportTraceServiceRequest.FromString(made.body)
    first, second = request.resource_spans
    assert attributes_of(first.resource) == {
        "service.name": "trainer",
        "service.version": "1.2",
        "host.name": "node",
        "process.pid": 17,
    }
    assert first.scope_spans[0].scope.name == "crucible_train"
    assert attributes_of(first.scope_spans[0].spans[0]) == {"crucible.epoch.source.zone": "b"}
    assert attributes_of(second.resource) == {"service.name": "unknown_service"}


def test_the_envelope_of_stored_events_is_read_as_metadata() -> None:
    span = span_of(
        event(
            "crucible_train.batch.stop",
            event_id="e1",
            experiment_id="x",
            experiment_name="X",
            condition="warm",
            correlation_id="story",
            metadata={"run_id": "r"},
        )
    )
    assert attributes_of(span) == {
        "crucible.run.id": "r",
        "crucible.event.id": "e1",
        "crucible.experiment.id": "x",
        "crucible.experiment.name": "X",
        "crucible.condition": "warm",
        "crucible.correlation.id": "story",
    }


def test_a_number_that_says_where_it_was_is_an_attribute_among_the_measurements_too() -> None:
    span = span_of(
        event(
            "crucible_train.batch.stop",
            measurements={"loss": 0.5, "epoch": 3, "batch": 2, "step": 40, "batch_size": 8},
            metadata={"step": 41},
        )
    )
    assert attributes_of(span) == {
        "crucible.measurement.loss": 0.5,
        "crucible.epoch": 3,
        "crucible.batch.index": 2,
        "crucible.batch.size": 8,
        "crucible.step": 41,
        "crucible.measurement.step": 40,
    }


def test_numbers_of_a_map_of_metrics_are_measurements_among_the_metadata_too() -> None:
    span = span_of(
        event(
            "crucible_framework.pipeline.stop",
            metadata={"metrics": {"accuracy": 0.5, "f1": 0.25, "best": "lr=1e-3"}},
        )
    )
    assert attributes_of(span) == {
        "crucible.measurement.accuracy": 0.5,
        "crucible.measurement.f1": 0.25,
        "crucible.pipeline.metrics": '{"best": "lr=1e-3"}',
    }
