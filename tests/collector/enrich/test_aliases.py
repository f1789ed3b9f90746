"""What other producers call an event, a number or an id is found under the registry's name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Status

import crucible_schema
from collector.enrich.test_costs import PRICED
from crucible_collector.batch import SPELLINGS
from rows_of import (
    Ingest,
    at,
    ingest,
    logs,
    metrics,
    resource_of,
    row_of,
    rows_of,
    span_of,
    traces,
)
from traffic import key_value

GIB = 1 << 30


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def series_of(database: str) -> dict[str, Any]:
    return {row["metric"]: row for row in rows_of(database, "series")}


@pytest.mark.parametrize(
    ("name", "code", "event"),
    [
        ("crucible_kitchen.training.step", 0, "crucible_train.batch.stop"),
        ("crucible_kitchen.training.checkpoint", 0, "crucible_train.checkpoint.saved"),
        ("crucible_kitchen.workflow.run", 0, "crucible_framework.pipeline.stop"),
        ("crucible_kitchen.workflow.run", 2, "crucible_framework.pipeline.exception"),
        ("crucible_kitchen.workflow.run.start", 0, "crucible_framework.pipeline.start"),
        ("crucible_deployment.health_check", 0, "crucible_deployment.health_check.completed"),
        ("megatron.train_step", 0, "crucible_train.batch.stop"),
        ("hedging.request", 2, "crucible_hedging.request.exception"),
        ("hedging.request.duplicated", 0, "crucible_hedging.hedge.fired"),
        ("ensemble.vote.completed", 0, "crucible_ensemble.vote.complete"),
        ("work.job.completed", 0, "nsai_work.job.completed"),
    ],
)
def test_an_event_under_an_alias_is_the_registrys_and_keeps_the_name_it_was_sent_under(
    collector: Ingest, plain_database: str, name: str, code: int, event: str
) -> None:
    span = span_of(1, name)
    span.status.CopyFrom(Status(code=code))  # type: ignore[arg-type] # the enum's number
    collector.store(traces(span))
    row = row_of(plain_database, "spans")
    assert (row["name"], row["event_name"], row["original_event_name"]) == (name, event, name)


def test_a_given_name_may_be_an_alias_and_stays_among_the_attributes(
    collector: Ingest, plain_database: str
) -> None:
    alias = {"crucible.event.name": "crucible_kitchen.training.epoch"}
    collector.store(traces(span_of(1, "anything", **alias)))
    row = row_of(plain_database, "spans")
    assert row["event_name"] == "crucible_train.epoch.stop"
    assert row["original_event_name"] == "crucible_kitchen.training.epoch"
    assert row["attributes"] == alias


def test_only_what_an_alias_changed_has_an_original_name(
    collector: Ingest, plain_database: str
) -> None:
    names = ("crucible_train.epoch", "GET /items", "crucible_kitchen.training.step")
    collector.store(traces(*(span_of(number, name) for number, name in enumerate(names, 1))))
    found = [row["original_event_name"] for row in rows_of(plain_database, "spans", "span_id")]
    assert found == [None, None, "crucible_kitchen.training.step"]


def test_a_run_is_told_of_by_the_aliases_of_its_events(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(traces(span_of(1, "crucible_kitchen.workflow.run", crucible__run__id="run")))
    row = row_of(plain_database, "runs")
    assert (row["kind"], row["status"]) == ("pipeline", "completed")


def test_a_log_record_under_an_alias_is_the_registrys_event(
    collector: Ingest, plain_database: str
) -> None:
    alias = "crucible_kitchen.training.step"
    collector.store(
        logs(
            LogRecord(time_unix_nano=at(-3), event_name=alias),
            LogRecord(time_unix_nano=at(-2), event_name="mine.own"),
            LogRecord(time_unix_nano=at(-1), attributes=[key_value("crucible.event.name", alias)]),
            LogRecord(time_unix_nano=at(0)),
        )
    )
    rows = rows_of(plain_database, "logs", "time")
    assert [(row["event_name"], row["original_event_name"]) for row in rows] == [
        ("crucible_train.batch.stop", alias),
        ("mine.own", None),
        ("crucible_train.batch.stop", alias),
        (None, None),
    ]


def test_numbers_under_aliases_are_points_of_the_same_series_and_attributes_as_sent(
    collector: Ingest, plain_database: str
) -> None:
    run = {"crucible.run.id": "run"}
    own = {"crucible.measurement.learning_rate": 0.5, "crucible.measurement.gradient_norm": 1.0}
    other = {"crucible.measurement.lr": 0.25, "crucible.measurement.grad_norm": 2}
    collector.store(
        traces(span_of(1, "crucible_train.batch", **run, **own)),
        traces(span_of(2, "crucible_kitchen.training.step", **run, **other)),
    )
    series = series_of(plain_database)
    assert series.keys() == {"learning_rate", "gradient_norm"}
    points = rows_of(plain_database, "points", "value")
    assert [(row["series_id"], row["value"]) for row in points] == [
        (series["learning_rate"]["series_id"], 0.25),
        (series["learning_rate"]["series_id"], 0.5),
        (series["gradient_norm"]["series_id"], 1.0),
        (series["gradient_norm"]["series_id"], 2.0),
    ]
    assert rows_of(plain_database, "spans", "span_id")[1]["attributes"] == other


def test_a_series_has_the_name_and_unit_of_the_registry_and_the_one_it_was_sent_under(
    collector: Ingest, plain_database: str
) -> None:
    sent = {"megatron.training.memory_allocated_gb": 1.5, "crucible.measurement.lr": 0.5}
    collector.store(traces(span_of(1, "megatron.train_step", **sent)))
    series = series_of(plain_database)
    memory = series["gpu_memory_allocated_bytes"]
    assert memory["original_metric"] == "megatron.training.memory_allocated_gb"
    assert series["learning_rate"]["original_metric"] == "lr"
    values = {row["series_id"]: row["value"] for row in rows_of(plain_database, "points")}
    assert values[memory["series_id"]] == 1.5 * GIB
    assert row_of(plain_database, "spans")["attributes"] == sent


@pytest.mark.parametrize("backwards", [False, True])
def test_of_one_number_under_several_names_the_registrys_own_counts_then_the_tables_order(
    collector: Ingest, plain_database: str, backwards: bool
) -> None:
    names = ("crucible.measurement.loss", "megatron.training.loss", "megatron.loss")
    loss = [(name, float(place)) for place, name in enumerate(names)]
    for number, chosen in enumerate((loss, loss[1:], loss[2:])):
        sent = dict(reversed(chosen) if backwards else chosen)
        collector.store(traces(span_of(number + 1, "crucible_train.batch", **sent)))
    assert series_of(plain_database).keys() == {"loss"}
    assert [row["value"] for row in rows_of(plain_database, "points", "value")] == [0.0, 1.0, 2.0]


def test_another_producers_ids_steps_and_switches_are_no_series(
    collector: Ingest, plain_database: str
) -> None:
    sent = {"megatron.iteration": 7, "nv.dl.rank": 3, "megatron.train_iters": 100}
    collector.store(traces(span_of(1, "megatron.train_step", **sent, megatron__novelty=1.0)))
    series = row_of(plain_database, "series")
    assert (series["metric"], series["original_metric"]) == ("megatron.novelty", None)
    assert series["rank"] == 3
    assert row_of(plain_database, "points")["step"] == 7
    assert row_of(plain_database, "spans")["step"] == 7
    assert row_of(plain_database, "spans")["attributes"] == {**sent, "megatron.novelty": 1.0}


COLUMNS: dict[str, tuple[str, Any]] = {
    "crucible.run.id": ("run_id", "text"),
    "crucible.correlation.id": ("correlation_id", "text"),
    "crucible.step": ("step", 5),
    "gen_ai.response.model": ("model", "text"),
    "gen_ai.request.model": ("model", "text"),
    "gen_ai.usage.input_tokens": ("input_tokens", 5),
    "gen_ai.usage.output_tokens": ("output_tokens", 5),
    "crucible.measurement.cost_usd": ("cost_usd", 0.5),
}


@pytest.mark.parametrize("key", COLUMNS)
def test_a_column_is_read_from_every_spelling_the_first_of_them_counting_most(
    collector: Ingest, plain_database: str, key: str
) -> None:
    column, value = COLUMNS[key]
    spelled = crucible_schema.spellings(key)
    assert spelled[0] == key
    assert len(spelled) > 1
    other = f"other {value}" if isinstance(value, str) else value + 1
    # Each spelling by itself, and before each that counts less.
    cases = [{each: value} for each in spelled]
    cases += [{less: other, more: value} for more, less in itertools.pairwise(spelled)]
    collector.store(traces(*(span_of(n, "x", **case) for n, case in enumerate(cases, 1))))
    rows = rows_of(plain_database, "spans", "span_id")
    assert [row[column] for row in rows] == [value] * len(cases)
    for row, case in zip(rows, cases, strict=True):
        sent_by_others = {name: each for name, each in case.items() if name != key}
        assert (row["attributes"] or {}).items() >= sent_by_others.items()


def test_every_key_with_other_spellings_that_is_a_column_is_tested_above() -> None:
    spelled = {key for key, all_ in SPELLINGS.items() if len(all_) > 1}
    assert spelled - COLUMNS.keys() - PRICED.keys() == {"crucible.rank"}


def test_the_run_of_a_process_may_be_under_another_producers_key(
    collector: Ingest, plain_database: str
) -> None:
    of_process = resource_of(**{"nv.dl.run.uuid": "run-9"})
    collector.store(traces(span_of(1, "nv.dl.training.iteration"), resource=of_process))
    assert row_of(plain_database, "spans")["run_id"] == "run-9"
    assert row_of(plain_database, "runs")["run_id"] == "run-9"
    assert row_of(plain_database, "resources")["attributes"] == {"nv.dl.run.uuid": "run-9"}


def gauge(name: str, value: float, unit: str = "", **attributes: Any) -> Metric:
    metric = Metric(name=name, unit=unit)
    metric.gauge.data_points.append(
        NumberDataPoint(
            time_unix_nano=at(0),
            as_double=value,
            attributes=[
                key_value(key.replace("__", "."), each) for key, each in attributes.items()
            ],
        )
    )
    return metric


def test_an_otlp_metric_of_another_producer_is_the_registrys_in_its_unit(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(
        metrics(
            gauge("megatron.training.loss", 0.5, "1"),
            gauge("megatron.training.memory_allocated_gb", 2, "GB"),
            gauge("loss_of_mine", 0.25, "s"),
        )
    )
    series = series_of(plain_database)
    told = {name: (row["original_metric"], row["unit"]) for name, row in series.items()}
    assert told == {
        "loss": ("megatron.training.loss", "1"),
        "gpu_memory_allocated_bytes": ("megatron.training.memory_allocated_gb", "By"),
        "loss_of_mine": (None, "s"),
    }
    values = {row["series_id"]: row["value"] for row in rows_of(plain_database, "points")}
    assert [values[row["series_id"]] for row in series.values()] == [
        {"loss": 0.5, "gpu_memory_allocated_bytes": 2 * GIB, "loss_of_mine": 0.25}[name]
        for name in series
    ]


def test_an_integer_that_is_converted_is_told_as_the_double_it_became(
    collector: Ingest, plain_database: str
) -> None:
    metric = Metric(name="megatron.training.memory_allocated_gb")
    metric.gauge.data_points.append(NumberDataPoint(time_unix_nano=at(0), as_int=2**53 + 1))
    collector.store(metrics(metric))
    row = row_of(plain_database, "points")
    assert (row["value"], row["value_int"]) == (float(2**53 + 1) * GIB, None)


def test_buckets_cannot_be_converted_so_such_a_histogram_keeps_its_name(
    collector: Ingest, plain_database: str
) -> None:
    scaled, same = (
        Metric(name=f"megatron.training.{name}") for name in ("memory_allocated_gb", "loss")
    )
    for metric in (scaled, same):
        metric.histogram.data_points.append(HistogramDataPoint(time_unix_nano=at(0), count=1))
    collector.store(metrics(scaled, same))
    series = series_of(plain_database)
    assert series.keys() == {"megatron.training.memory_allocated_gb", "loss"}
    assert series["megatron.training.memory_allocated_gb"]["original_metric"] is None


def test_a_field_name_that_means_a_number_on_some_event_means_nothing_as_an_otlp_metric(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(metrics(gauge("lr", 0.5), gauge("cost", 1.0)))
    assert series_of(plain_database).keys() == {"lr", "cost"}


def test_a_step_under_an_alias_makes_no_series_of_its_own(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(
        metrics(
            *(
                gauge("megatron.training.loss", 0.5, megatron__iteration=step, layer="head")
                for step in (3, 4)
            )
        )
    )
    assert row_of(plain_database, "series")["attributes"] == {"layer": "head"}
    assert [row["step"] for row in rows_of(plain_database, "points", "step")] == [3, 4]


def test_what_an_alias_made_a_column_is_limited_like_it(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(
        traces(span_of(1, nemo__run__id="x" * 300), span_of(2, nemo__run__id="x" * 200))
    )
    assert [row["span_id"] for row in rows_of(plain_database, "spans")] == [2]
