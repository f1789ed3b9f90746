"""Which numbers become points, of which series, and how exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xxhash
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from rows_of import (
    RECEIVED_NS,
    Ingest,
    at,
    imbalance,
    ingest,
    ledger,
    logs,
    metrics,
    resource_of,
    row_of,
    rows_of,
    span_of,
    traces,
)
from traffic import key_value

NO_RECORDED_VALUE = 1  # of a data point's flags
LOSS = "crucible.measurement.loss"


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def batch(number: int, **attributes: str | float) -> Any:
    return span_of(
        number,
        "crucible_train.batch",
        **{"crucible.run.id": "run", "crucible.step": number, LOSS: 0.5, **attributes},
    )


def gauge(*points: NumberDataPoint, name: str = "gauge") -> Metric:
    metric = Metric(name=name)
    metric.gauge.data_points.extend(points)
    return metric


def point(value: float | None = 0.5, **attributes: str | float) -> NumberDataPoint:
    made = NumberDataPoint(
        time_unix_nano=at(0),
        attributes=[key_value(key.replace("__", "."), each) for key, each in attributes.items()],
    )
    if isinstance(value, int):
        made.as_int = value
    elif value is not None:
        made.as_double = value
    return made


def series_of(database: str) -> dict[int, dict[str, Any]]:
    return {row["series_id"]: row for row in rows_of(database, "series")}


def test_measurements_are_points_where_the_registry_says_so_and_attributes_always(
    collector: Ingest, plain_database: str
) -> None:
    own = {LOSS: 0.25, "crucible.measurement.optim/entropy": 1, "crucible.measurement.cost_usd": 3}
    collector.store(
        traces(
            batch(1, **own), span_of(2, "crucible_train.training", **own), span_of(3, "x", **own)
        )
    )
    found = {row["metric"]: row["event_name"] for row in rows_of(plain_database, "series")}
    assert found["loss"] == found["optim/entropy"] == "crucible_train.batch.stop"
    assert set(found.values()) == {"crucible_train.batch.stop"}
    for row in rows_of(plain_database, "spans"):
        assert row["attributes"].items() >= own.items()


def test_a_point_has_the_step_and_the_end_of_its_span(
    collector: Ingest, plain_database: str
) -> None:
    span = batch(7)
    span.end_time_unix_nano = at(-0.5) + 123
    collector.store(traces(span))
    row = row_of(plain_database, "points")
    assert row["step"] == 7
    assert row["time_ns_rest"] == 123
    assert row["value"] == 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_kept_as_such(
    collector: Ingest, plain_database: str, value: float
) -> None:
    collector.store(traces(batch(1, **{LOSS: value})), metrics(gauge(point(value))))
    stored = [row["value"] for row in rows_of(plain_database, "points")]
    assert [str(each) for each in stored] == [str(value)] * 2


@pytest.mark.parametrize(
    ("value", "value_int"),
    [(2**53, None), (-(2**53), None), (2**53 + 1, 2**53 + 1), (-(2**63), -(2**63)), (3, None)],
)
def test_integers_that_a_double_cannot_hold_are_kept_beside_it(
    collector: Ingest, plain_database: str, value: int, value_int: int | None
) -> None:
    collector.store(metrics(gauge(point(value))))
    row = row_of(plain_database, "points")
    assert (row["value"], row["value_int"]) == (float(value), value_int)


def test_a_gap_is_a_point_without_value_in_the_series_of_its_neighbours(
    collector: Ingest, plain_database: str
) -> None:
    gap = point(None)
    gap.flags, gap.time_unix_nano = NO_RECORDED_VALUE, at(1)
    collector.store(metrics(gauge(gap, point(0.5))))
    rows = rows_of(plain_database, "points", "time")
    assert [(row["value"], row["flags"]) for row in rows] == [(0.5, None), (None, 1)]
    assert row_of(plain_database, "series")["number_kind"] == "double"


def test_the_step_of_a_number_is_in_its_column_and_not_in_its_series(
    collector: Ingest, plain_database: str
) -> None:
    collector.store(
        metrics(gauge(*(point(0.5, crucible__step=step, layer="head") for step in (3, 4))))
    )
    assert row_of(plain_database, "series")["attributes"] == {"layer": "head"}
    assert [row["step"] for row in rows_of(plain_database, "points", "step")] == [3, 4]


def test_a_step_without_a_column_stays_in_the_series(
    collector: Ingest, plain_database: str
) -> None:
    histogram = Metric(name="histogram")
    histogram.histogram.data_points.append(
        HistogramDataPoint(
            time_unix_nano=at(0), count=1, attributes=[key_value("crucible.step", 3)]
        )
    )
    collector.store(metrics(histogram, gauge(point(0.5, crucible__step="third"))))
    found = {row["metric"]: row["attributes"] for row in rows_of(plain_database, "series")}
    assert found == {"histogram": {"crucible.step": 3}, "gauge": {"crucible.step": "third"}}


def test_a_series_whose_first_point_was_refused_is_there_for_the_others(
    collector: Ingest, plain_database: str
) -> None:
    late, good = point(0.5), point(0.5)
    late.time_unix_nano = at(-365 * 86_400)
    collector.store(metrics(gauge(late, good)))
    assert row_of(plain_database, "points")["series_id"] in series_of(plain_database)


def test_lists_that_are_empty_are_null_whatever_the_neighbours_have(
    collector: Ingest, plain_database: str
) -> None:
    metric = Metric(name="histogram")
    metric.histogram.data_points.extend(
        [
            HistogramDataPoint(time_unix_nano=at(0), count=1),
            HistogramDataPoint(
                time_unix_nano=at(1), count=1, bucket_counts=[0, 1], explicit_bounds=[5]
            ),
        ]
    )
    collector.store(metrics(metric))
    rows = rows_of(plain_database, "histograms", "time")
    assert [row["counts"] for row in rows] == [None, [0, 1]]
    assert [row["bounds"] for row in rows] == [None, [5.0]]


def test_data_points_and_log_records_without_a_time_have_that_of_the_receipt(
    collector: Ingest, plain_database: str
) -> None:
    timeless = NumberDataPoint(as_double=1)
    collector.store(
        metrics(gauge(timeless)),
        logs(LogRecord(severity_number=9), LogRecord(observed_time_unix_nano=at(-3))),  # type: ignore[arg-type]
    )
    assert row_of(plain_database, "points")["time"].timestamp() == RECEIVED_NS / 1e9
    times = [row["time"].timestamp() for row in rows_of(plain_database, "logs", "time")]
    assert times == [at(-3) / 1e9, RECEIVED_NS / 1e9]


def test_a_log_record_refused_for_its_severity_spoils_no_other(
    collector: Ingest, plain_database: str
) -> None:
    strange = LogRecord(time_unix_nano=at(0), severity_number=40_000)  # type: ignore[arg-type]
    collector.store(logs(strange, LogRecord(time_unix_nano=at(0), severity_text="fine")))
    assert row_of(plain_database, "logs")["severity_text"] == "fine"
    counts = ledger(plain_database)
    assert counts["log_records", "rejected", "number_out_of_range"] == 1
    assert imbalance(counts) == {"log_records": 0}


def test_a_name_too_long_to_be_a_series_stays_an_attribute(
    collector: Ingest, plain_database: str
) -> None:
    # Not in one run of equal characters: an index compresses those.
    name = "crucible.measurement." + "".join(f"{n:04d}" for n in range(750))
    collector.store(traces(batch(1, **{name: 1.5})))
    assert row_of(plain_database, "series")["metric"] == "loss"
    assert row_of(plain_database, "spans")["attributes"][name] == 1.5
    assert collector.buried == []


def test_many_names_of_events_and_measurements_cost_no_more_than_there_are_of_them(
    collector: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def is_series(event: str, name: str) -> bool:
        asked.append((event, name))
        return False

    monkeypatch.setattr("crucible_schema.is_series", is_series)
    spans = [span_of(n, f"event {n}", **{f"crucible.measurement.m{n}": 1}) for n in range(1, 200)]
    collector.rows(traces(*spans))
    assert len(asked) == len(spans)


class TestSeriesIds:
    """What is one series and what are two. The ids are in databases: never change how they are made."""

    def ids(self, collector: Ingest, *requests: Any) -> list[int]:
        """The series ids of the requests' points, in the order of the requests."""
        found = []
        for request in requests:
            rows = collector.rows(request)
            found += [
                series_id
                for table in rows.tables
                if table.relation in ("points", "histograms")
                for series_id in table.batch.column("series_id").to_pylist()
            ]
        return found

    def test_a_measurements_series_is_the_same_in_every_process_of_its_run(
        self, collector: Ingest
    ) -> None:
        one, other = resource_of(service__instance__id="a"), resource_of(host__name="b", x=1)
        assert self.ids(
            collector, traces(batch(1), resource=one), traces(batch(2), resource=other)
        ) == self.ids(collector, traces(batch(3), batch(4)))

    @pytest.mark.parametrize(
        "other",
        [
            {"crucible.run.id": "another run"},
            {"crucible.rank": 1},
            {"crucible.event.name": "crucible_train.epoch.stop"},
        ],
    )
    def test_another_run_rank_or_event_is_another_series(
        self, collector: Ingest, other: dict[str, str | float]
    ) -> None:
        assert len(set(self.ids(collector, traces(batch(1), batch(2, **other))))) == 2

    def test_without_a_run_the_resource_tells_series_apart(self, collector: Ingest) -> None:
        def runless(number: int) -> Any:
            return span_of(number, "crucible_train.batch", **{LOSS: 1.0})

        one, other = resource_of(service__name="a"), resource_of(service__name="b")
        first, second, third = self.ids(
            collector,
            traces(runless(1), resource=one),
            traces(runless(2), resource=other),
            traces(runless(3), resource=one),
        )
        assert first == third != second

    def test_the_order_of_attributes_does_not_matter(self, collector: Ingest) -> None:
        one = resource_of(a=1, b="x", c=0.5)
        other = resource_of(c=0.5, b="x", a=1)
        first, second = self.ids(
            collector,
            metrics(gauge(point(1.0, k="v", n=1)), resource=one),
            metrics(gauge(point(1.0, n=1, k="v")), resource=other),
        )
        assert first == second

    def test_what_the_data_model_calls_another_stream_is_another_series(
        self, collector: Ingest
    ) -> None:
        delta, cumulative, monotonic = Metric(name="m"), Metric(name="m"), Metric(name="m")
        for metric, temporality in ((delta, 1), (cumulative, 2), (monotonic, 2)):
            metric.sum.data_points.append(point(1.0))
            metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]
        monotonic.sum.is_monotonic = True
        with_unit = gauge(point(1.0), name="m")
        with_unit.unit = "s"
        described = gauge(point(1.0), name="m")
        described.description = "says nothing about the series"
        plain = gauge(point(1.0), name="m")
        distinct = [
            delta,
            cumulative,
            monotonic,
            with_unit,
            plain,
            gauge(point(1), name="m"),
            gauge(point(1.0, k="v"), name="m"),
            gauge(point(1.0), name="n"),
        ]
        assert len(set(self.ids(collector, *map(metrics, distinct)))) == len(distinct)
        assert len(set(self.ids(collector, metrics(plain), metrics(described)))) == 1

    def test_ids_are_what_they_were(self, collector: Ingest) -> None:
        resource = resource_of(service__name="trainer", replica=3)
        request = traces(batch(1, **{"crucible.rank": 2}), resource=resource)
        rows = collector.rows(request, metrics(gauge(point(1, layer="head")), resource=resource))
        assert sorted(rows.resources.rows) == [1464620536464535214]
        assert sorted(rows.scopes.rows) == [1143940921565992817]
        assert sorted(rows.series.rows) == [2163763029798536876, 5874166291649285659]

    def test_ids_are_the_documented_fold_of_the_documented_words(self, collector: Ingest) -> None:
        resource = resource_of(service__name="trainer", replica=3)
        rows = collector.rows(traces(batch(1, **{"crucible.rank": 2}), resource=resource))
        each = [b'service.name\0"trainer"', b"replica\x003"]
        attributes = xxh64_avalanche(sum(map(xxh64, each)) & WORD)
        assert set(rows.resources.rows) == {folded("resource", attributes, xxh64(b""))}
        event = xxh64(b"crucible_train.batch.stop")
        series = folded("measurement", xxh64(b"run"), event, xxh64(b"loss"), 2)
        assert set(rows.series.rows) == {series}


WORD = 2**64 - 1


def xxh64(content: bytes) -> int:
    return int(xxhash.xxh64_intdigest(content))


def mixed(word: int, shifts: tuple[int, int, int], factors: tuple[int, int]) -> int:
    """A 64-bit finalizer: xor-shift, multiply, xor-shift, multiply, xor-shift."""
    word = (word ^ word >> shifts[0]) * factors[0] & WORD
    word = (word ^ word >> shifts[1]) * factors[1] & WORD
    return word ^ word >> shifts[2]


def xxh64_avalanche(word: int) -> int:
    return mixed(word, (33, 29, 32), (0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def folded(kind: str, *words: int) -> int:
    state = xxh64(kind.encode())
    for word in words:
        state = mixed(
            (state * 0x9E3779B97F4A7C15 + word) & WORD,
            (30, 27, 31),
            (0xBF58476D1CE4E5B9, 0x94D049BB133111EB),
        )
    return state >> 1
