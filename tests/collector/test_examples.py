"""Each payload that the registry publishes becomes the rows that it describes.

All of them go into one database, as OTLP/JSON through transcoding, check, journal, preparation and one
transaction. What is expected is read from the payloads themselves, apart from the collector's code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import crucible_schema
from crucible_collector.batch import Signal
from crucible_collector.journal import Entry
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.receive.check import check
from crucible_collector.receive.limits import Limits
from crucible_collector.receive.transcode import to_protobuf
from databases import TestServer
from rows_of import RECEIVED_NS, ingest, ledger, rows_of, write_entries

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
PAYLOADS = {path.stem: json.loads(path.read_text()) for path in sorted(EXAMPLES.glob("*.json"))}
EVENTS = sorted(name for name, payload in PAYLOADS.items() if "resourceSpans" in payload)
METRICS = sorted(name for name, payload in PAYLOADS.items() if "resourceMetrics" in payload)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PREFIX = "crucible.measurement."
# Columns, and the attributes that they are read from; of several the first that is there.
IDENTITY = {
    "experiment_id": ("crucible.experiment.id",),
    "run_id": ("crucible.run.id",),
    "condition": ("crucible.condition",),
    "correlation_id": ("crucible.correlation.id",),
    "step": ("crucible.step",),
    "epoch": ("crucible.epoch",),
}
READ = {
    "model": ("gen_ai.response.model", "gen_ai.request.model", "crucible.model.name"),
    "input_tokens": ("gen_ai.usage.input_tokens",),
    "output_tokens": ("gen_ai.usage.output_tokens",),
    "cost_usd": ("crucible.measurement.cost_usd",),
}
RUN_SCOPES = {"crucible_train.training": "training", "crucible_framework.pipeline": "pipeline"}


def attributes_of(message: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: value_of(each["value"]) for each in message.get("attributes", ())}


def value_of(value: dict[str, Any]) -> Any:
    """An AnyValue of OTLP/JSON as what it stands for."""
    ((kind, content),) = value.items()
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [value_of(each) for each in content.get("values", ())]
    assert kind in {"stringValue", "boolValue", "doubleValue"}, kind
    return content


def span_in(name: str) -> dict[str, Any]:
    (of_resource,) = PAYLOADS[name]["resourceSpans"]
    (of_scope,) = of_resource["scopeSpans"]
    (span,) = of_scope["spans"]
    return dict(span)


def metric_in(name: str) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    """The payload's metric, its kind, and its data points."""
    (of_resource,) = PAYLOADS[name]["resourceMetrics"]
    (of_scope,) = of_resource["scopeMetrics"]
    (metric,) = of_scope["metrics"]
    (kind,) = metric.keys() & {"gauge", "sum", "histogram"}
    return metric, kind, metric[kind]["dataPoints"]


def resource_in(name: str) -> dict[str, Any]:
    ((of_resource,),) = PAYLOADS[name].values()
    return attributes_of(of_resource["resource"])


def times_of(span: dict[str, Any]) -> tuple[int, int]:
    return int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])


def first_of(attributes: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((attributes[key] for key in keys if key in attributes), None)


def microseconds(ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=ns // 1000)


@dataclass
class Stored:
    """All rows, read once: tests are many and rows few."""

    dsn: str
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)  # by event name
    series: dict[tuple[str | None, str], list[dict[str, Any]]] = field(default_factory=dict)
    points: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by series
    histograms: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by series
    resources: dict[int, dict[str, Any]] = field(default_factory=dict)

    def read(self) -> Stored:
        self.spans = {row["event_name"]: row for row in rows_of(self.dsn, "spans")}
        for row in rows_of(self.dsn, "series"):
            self.series.setdefault((row["event_name"], row["metric"]), []).append(row)
        for row in rows_of(self.dsn, "points", "time"):
            self.points.setdefault(row["series_id"], []).append(row)
        for row in rows_of(self.dsn, "histograms", "time"):
            self.histograms.setdefault(row["series_id"], []).append(row)
        self.resources = {row["resource_id"]: row for row in rows_of(self.dsn, "resources")}
        return self


def entry_of(payload: dict[str, Any]) -> Entry:
    signal = Signal.TRACES if "resourceSpans" in payload else Signal.METRICS
    body = to_protobuf(signal, json.dumps(payload).encode())
    return check(
        signal, body, RECEIVED_NS, Limits(), digest=hashlib.sha256(body).digest()[:16]
    ).entry


@pytest.fixture(scope="module")
def stored(module_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    journal = tmp_path_factory.mktemp("journal")
    with module_server.database() as dsn, ingest(dsn, journal) as collector:
        window = write_entries(collector.journal, map(entry_of, PAYLOADS.values()))
        collector.write(prepare(window, collector.remembered.known()))
        assert collector.buried == []
        yield Stored(dsn).read()


def test_everything_is_stored_once(stored: Stored) -> None:
    points = sum(len(metric_in(name)[2]) for name in METRICS)
    assert EVENTS
    assert points
    assert ledger(stored.dsn) == {
        ("spans", "received", ""): len(EVENTS),
        ("spans", "stored", ""): len(EVENTS),
        ("data_points", "received", ""): points,
        ("data_points", "stored", ""): points,
    }


def test_every_event_of_the_registry_has_been_sent(stored: Stored) -> None:
    assert stored.spans.keys() == crucible_schema.EVENTS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_the_example_of_an_event_is_the_row_of_that_event(stored: Stored, name: str) -> None:
    span, row = span_in(name), stored.spans[name]
    start_ns, end_ns = times_of(span)
    attributes = attributes_of(span)
    found = {
        "trace_id": row["trace_id"],
        "span_id": f"{row['span_id'] & (1 << 64) - 1:016x}",
        "parent_span_id": f"{(row['parent_span_id'] or 0) & (1 << 64) - 1:016x}",
        "name": row["name"],
        "sent_as": row["original_event_name"],
        "time": (row["time"], row["time_ns_rest"]),
        "duration_ns": row["duration_ns"],
        "status": (row["status_code"], row["status_message"]),
        "resource": stored.resources[row["resource_id"]]["attributes"],
        "identity": {column: row[column] for column in IDENTITY},
        "read": {column: row[column] for column in READ},
        "attributes": row["attributes"] or {},
        "events": [each["name"] for each in row["events"] or ()],
        "links": len(row["links"] or ()),
    }
    lifted = {key for keys in IDENTITY.values() for key in keys}
    assert found == {
        "trace_id": UUID(span["traceId"]),
        "span_id": span["spanId"],
        "parent_span_id": span.get("parentSpanId") or "0" * 16,
        "name": span["name"],
        "sent_as": None,
        "time": (microseconds(start_ns), start_ns % 1000),
        "duration_ns": end_ns - start_ns,
        "status": (span["status"].get("code", 0), span["status"].get("message")),
        "resource": resource_in(name),
        "identity": {column: first_of(attributes, keys) for column, keys in IDENTITY.items()},
        "read": {column: first_of(attributes, keys) for column, keys in READ.items()},
        "attributes": {key: value for key, value in attributes.items() if key not in lifted},
        "events": [each["name"] for each in span.get("events", ())],
        "links": len(span.get("links", ())),
    }


def expected_points(name: str) -> dict[str, tuple[float, str | None]]:
    """Value and unit of each measurement in the payload that the registry calls a series."""
    definition = crucible_schema.EVENTS[name]
    uses = {use.measurement.key: use for use in definition.measurements}
    is_free = definition.free_measurements is crucible_schema.FreeMeasurements.SERIES
    found: dict[str, tuple[float, str | None]] = {}
    for key, value in attributes_of(span_in(name)).items():
        if key in uses and uses[key].is_series:
            found[uses[key].measurement.name] = float(value), uses[key].measurement.unit
        elif key not in uses and key.startswith(PREFIX) and is_free:
            found[key.removeprefix(PREFIX)] = float(value), None
    return found


@pytest.mark.parametrize("name", EVENTS)
def test_the_numbers_of_an_example_that_the_registry_calls_series_are_points(
    stored: Stored, name: str
) -> None:
    span = span_in(name)
    attributes, end_ns = attributes_of(span), times_of(span)[1]
    expected = expected_points(name)
    made = {metric: rows for (event, metric), rows in stored.series.items() if event == name}
    assert made.keys() == expected.keys()
    for metric, (value, unit) in expected.items():
        (series,) = made[metric]
        assert (series["source"], series["unit"]) == ("event", unit)
        assert series["original_metric"] is None
        assert series["run_id"] == attributes.get("crucible.run.id")
        assert series["experiment_id"] == attributes.get("crucible.experiment.id")
        (point,) = stored.points[series["series_id"]]
        assert point["value"] == value
        assert point["step"] == attributes.get("crucible.step")
        assert (point["time"], point["time_ns_rest"]) == (microseconds(end_ns), end_ns % 1000)


def test_some_examples_have_numbers_that_are_series_and_some_that_are_not(stored: Stored) -> None:
    """Else the test above would pass for a collector that makes no points at all."""
    assert expected_points("crucible_train.batch.stop").keys() >= {"loss", "gradient_norm"}
    assert not expected_points("crucible_train.training.stop")
    assert sum(map(len, map(expected_points, EVENTS))) == sum(
        len(rows) for (event, _), rows in stored.series.items() if event is not None
    )


@pytest.mark.parametrize("name", METRICS)
def test_the_example_of_a_metric_is_its_series_and_points(stored: Stored, name: str) -> None:
    metric, kind, sent = metric_in(name)
    made = stored.series[None, name]
    of_point = {json.dumps(row["attributes"], sort_keys=True): row for row in made}
    assert len(made) == len(of_point)
    for point in sent:
        attributes = attributes_of(point)
        series = of_point[json.dumps(attributes, sort_keys=True)]
        assert (series["source"], series["kind"]) == ("metric", kind)
        assert series["unit"] == metric["unit"]
        assert series["original_metric"] is None
        assert series["run_id"] == attributes.get("crucible.run.id")
        assert series["rank"] == attributes.get("crucible.rank")
        time = microseconds(int(point["timeUnixNano"]))
        if kind == "histogram":
            (row,) = stored.histograms[series["series_id"]]
            assert (row["time"], row["count"]) == (time, int(point["count"]))
            assert [row[name] for name in ("sum", "min", "max", "bounds")] == [
                point[name] for name in ("sum", "min", "max", "explicitBounds")
            ]
            assert row["counts"] == [int(count) for count in point["bucketCounts"]]
            continue
        rows = stored.points[series["series_id"]]
        value = float(point["asInt"] if "asInt" in point else point["asDouble"])
        assert (time, value) in [(row["time"], row["value"]) for row in rows]


def seen(key: str, wanted: str) -> list[tuple[dict[str, Any], int, int]]:
    """(attributes, first ns, last ns) of every record whose attribute `key` is the wanted one."""
    records = [(attributes_of(span), *times_of(span)) for span in map(span_in, EVENTS)]
    for name in METRICS:
        for point in metric_in(name)[2]:
            at_ns = int(point["timeUnixNano"])
            records.append((attributes_of(point), at_ns, at_ns))
    return [each for each in records if each[0].get(key) == wanted]


def ids(key: str) -> set[str]:
    found = {attributes_of(span).get(key) for span in map(span_in, EVENTS)}
    return {each for each in found if each is not None}


def marks(scopes: Sequence[str], key: str, wanted: str) -> list[tuple[int, bool, str, str]]:
    """(time ns, whether it ended, status, event) of what begins or ends such a scope, in order."""
    found = []
    for name in EVENTS:
        scope, _, phase = name.rpartition(".")
        span = span_in(name)
        if scope in scopes and attributes_of(span).get(key) == wanted:
            status = attributes_of(span).get("crucible.status")
            status = "running" if phase == "start" else status
            status = status or ("failed" if phase == "exception" else "completed")
            at_ns = times_of(span)[0 if phase == "start" else 1]
            found.append((at_ns // 1000, status != "running", status, name))
    return sorted(found)


def test_runs_say_what_their_examples_tell(stored: Stored) -> None:
    rows = {row["run_id"]: row for row in rows_of(stored.dsn, "runs")}
    assert rows.keys() == ids("crucible.run.id")
    for run_id, row in rows.items():
        records = seen("crucible.run.id", run_id)
        assert row["first_seen"] == microseconds(min(first for _, first, _ in records))
        assert row["last_seen"] == microseconds(max(last for _, _, last in records))
        assert row["last_step"] == max(told.get("crucible.step", -1) for told, _, _ in records)
        for column, key in (
            ("experiment_id", "crucible.experiment.id"),
            ("condition", "crucible.condition"),
            ("correlation_id", "crucible.correlation.id"),
            ("parent_run_id", "crucible.run.parent_id"),
        ):
            told_all = [told[key] for told, _, _ in records if key in told]
            assert row[column] == min(told_all, default=None)
        told = marks(list(RUN_SCOPES), "crucible.run.id", run_id)
        *_, (_, _, status, newest) = told
        assert (row["status"], row["kind"]) == (status, RUN_SCOPES[newest.rpartition(".")[0]])
        begun = min(times_of(span_in(name))[0] for *_, name in told)
        ended = max(times_of(span_in(name))[1] for _, over, _, name in told if over)
        assert (row["started_at"], row["ended_at"]) == (microseconds(begun), microseconds(ended))


def test_experiments_say_what_their_examples_tell(stored: Stored) -> None:
    rows = {row["experiment_id"]: row for row in rows_of(stored.dsn, "experiments")}
    assert rows.keys() == ids("crucible.experiment.id")
    for experiment_id, row in rows.items():
        records = seen("crucible.experiment.id", experiment_id)
        assert row["first_seen"] == microseconds(min(first for _, first, _ in records))
        assert row["last_seen"] == microseconds(max(last for _, _, last in records))
        told = [each for each, _, _ in records]
        assert row["name"] in [each.get("crucible.experiment.name") for each in told]
        assert row["hypothesis"] in [each.get("crucible.experiment.hypothesis") for each in told]
        tags = [sorted(each.get("crucible.experiment.tags", ())) for each in told]
        assert row["tags"] in tags
        assert None not in (row["name"], row["tags"])
