"""Aggregates say of any period what the rows in it say, whatever pieces it is cut into."""

from __future__ import annotations

import math
import random
import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from crucible_collector.api.aggregates import EventAggregate
from stored import T0, Api, Stored, at

Row = dict[str, Any]
DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60
WIDTHS = {
    "1m": MINUTE_S,
    "5m": 5 * MINUTE_S,
    "15m": 15 * MINUTE_S,
    "1h": HOUR_S,
    "6h": 6 * HOUR_S,
    "1d": DAY_S,
}
GROUPS = {
    "experiment": "experiment_id",
    "run": "run_id",
    "event": "event_name",
    "model": "model",
    "status": "status",
}
STATUSES = ("unset", "ok", "error")
PERCENTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99, "p99_9_ms": 0.999}
# Of the ends of what roll-ups answer: buckets' borders, a microsecond beside them, in the midst.
OFFSETS_S = [0, 1e-6, -1e-6, 30, 60, 61.5, 3_599, 3_600, 5_400, 43_200, 50_400, 86_400, 129_601]


def some_spans(stored: Stored, count: int = 150) -> list[Row]:
    """Spans over two days, denser around the borders of hours and days."""
    chance = random.Random(4)
    rows = []
    for number in range(count):
        status = chance.choice([0, 0, 1, 2])
        second = chance.choice(OFFSETS_S) + chance.choice([0, 0, 1e-6, 20, 59.999999, 7_200])
        row = {
            "time": at(second),
            "duration_ns": int(chance.lognormvariate(16, 2)) if number % 7 else 0,
            "name": chance.choice("ab"),
            "run_id": chance.choice([None, "run-1", "run-2"]),
            "experiment_id": chance.choice([None, "sweep"]),
            "model": chance.choice([None, "tiny"]),
            "status_code": status,
            "input_tokens": chance.choice([None, 3, 5]),
            "cost_usd": chance.choice([None, 0.1, 0.7, math.nan]),
        }
        stored.span(**row)
        rows.append({**row, "event_name": row["name"], "status": STATUSES[status]})
    return rows


def bucket(time: datetime, width_s: int) -> str:
    midnight = T0.replace(hour=0)
    begin = midnight + timedelta(seconds=(time - midnight).total_seconds() // width_s * width_s)
    return f"{begin:%Y-%m-%dT%H:%M:%S}.000000000Z"


def grouped(
    rows: list[Row], interval: str, group_by: list[str]
) -> dict[tuple[Any, ...], list[Row]]:
    found: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        time = bucket(row["time"], WIDTHS[interval]) if interval in WIDTHS else None
        key = [row[column] if group in group_by else None for group, column in GROUPS.items()]
        found[time, *key].append(row)
    return found


def in_order(key: tuple[Any, ...]) -> list[tuple[bool, str]]:
    return [(part is None, part or "") for part in key]


def assert_says(answer: Row, rows: list[Row]) -> None:
    """The aggregate is what the rows add up to."""
    durations = sorted(row["duration_ns"] / 1e6 for row in rows)
    errors = sum(row["status"] == "error" for row in rows)
    tokens = [row["input_tokens"] for row in rows if row["input_tokens"] is not None]
    costs = [
        row["cost_usd"]
        for row in rows
        if row["cost_usd"] is not None and not math.isnan(row["cost_usd"])
    ]
    assert answer["count"] == answer["stored_count"] == len(rows)
    assert (answer["error_count"], answer["count_standard_error"]) == (errors, 0)
    assert answer["error_rate"] == pytest.approx(errors / len(rows))
    assert answer["duration_mean_ms"] == pytest.approx(sum(durations) / len(rows))
    assert answer["duration_min_ms"] == pytest.approx(durations[0])
    assert answer["duration_max_ms"] == pytest.approx(durations[-1])
    assert answer["input_tokens"] == (sum(tokens) if tokens else None)
    assert answer["cost_usd"] == (pytest.approx(sum(costs)) if costs else None)
    assert answer["output_tokens"] is None
    assert (answer["estimated"], answer["interval_reliable"]) == (False, True)
    for name in (name for name in answer if name.endswith("_interval")):
        value = answer[name.removesuffix("_interval")]
        assert answer[name] == (None if value is None else [value, value]), name
    assert answer["duration_total_ms"] == pytest.approx(sum(durations))
    for name, fraction in PERCENTILES.items():
        exact = durations[math.ceil(fraction * len(durations) - 1e-9) - 1]
        assert answer[name] == pytest.approx(exact, rel=0.0101), name


def cases() -> list[tuple[Row, str, list[str], float | None, float | None]]:
    chance = random.Random(7)
    found: list[tuple[Row, str, list[str], float | None, float | None]] = []
    for number in range(40):
        ends = sorted(chance.sample(OFFSETS_S, 2))
        start, end = (chance.choice([None, ends[0]]), chance.choice([None, ends[1]]))
        filters = [{}, {"run": "run-1"}, {"experiment": "sweep"}, {"event": "a"}, {"model": "tiny"}]
        interval = ("none", *WIDTHS)[number % (1 + len(WIDTHS))]
        group_by = chance.sample(list(GROUPS), chance.choice([0, 1, 2, 5]))
        found.append(
            (chance.choice([*filters, {"status": "error"}]), interval, group_by, start, end)
        )
    return found


def test_an_aggregate_of_events_is_what_the_events_of_the_period_add_up_to(
    stored: Stored, api: Api
) -> None:
    rows = some_spans(stored)
    for filters, interval, group_by, start, end in cases():
        columns = {GROUPS.get(name, name): value for name, value in filters.items()}
        chosen = [
            row
            for row in rows
            if (start is None or row["time"] >= at(start))
            and (end is None or row["time"] < at(end))
            and all(row[column] == value for column, value in columns.items())
        ]
        asked: Row = {"interval": interval, "group_by": ",".join(group_by), "percentiles": True}
        asked |= {"from_": at(start).isoformat()} if start is not None else {}
        asked |= {"to": at(end).isoformat()} if end is not None else {}
        answers = api.ask("/events/aggregate", **asked, **filters, limit=1000)
        expected = grouped(chosen, interval, group_by)
        names = ["time", *GROUPS.values()]
        keys = [tuple(answer[name] for name in names) for answer in answers]
        assert keys == sorted(expected, key=in_order), (filters, asked)
        for key, answer in zip(keys, answers, strict=True):
            assert_says(answer, expected[key])


def test_page_by_page_every_group_comes_once_and_as_in_one_answer(stored: Stored, api: Api) -> None:
    some_spans(stored)
    for asked in (
        {"interval": "1h", "group_by": "model,event", "from_": at(30).isoformat()},
        {"interval": "none", "group_by": "run,status,experiment"},
        {"interval": "1m", "group_by": ["event", "model"], "percentiles": True},
    ):
        whole = api.ask("/events/aggregate", **asked, limit=1000)
        pages = list(api.pages("/events/aggregate", **asked, limit=4))
        assert [row for page in pages for row in page] == whole
        assert len(pages) > 1


def test_sampled_events_are_weighted_and_the_answer_says_so(stored: Stored, api: Api) -> None:
    for second in (0, 1):
        stored.span(
            time=at(second),
            sample_probability=0.25,
            count_trace_variance=12.0 if second == 0 else None,
            input_token_trace_variance=1200.0 if second == 0 else None,
            duration_ns=1_000_000 * (1 + second),
            input_tokens=10,
            status_code=2 * second,
        )
    stored.span(time=at(90), duration_ns=10_000_000)
    [row] = api.ask("/events/aggregate", to=at(90.5).isoformat())
    assert (row["count"], row["stored_count"], row["error_count"]) == (9, 3, 4)
    assert row["count_standard_error"] == pytest.approx(math.sqrt(12))
    assert row["input_tokens"] == 80
    assert row["input_tokens_standard_error"] == pytest.approx(math.sqrt(1200))
    assert row["duration_total_ms"] == pytest.approx(4 * 1 + 4 * 2 + 10)
    assert row["duration_mean_ms"] == pytest.approx((4 * 1 + 4 * 2 + 10) / 9)
    assert (row["estimated"], row["p50_ms"]) == (True, pytest.approx(2, rel=0.01))
    raw, rolled = (api.ask("/events/aggregate", interval=each) for each in ("none", "1m"))
    assert rolled[0]["count"] == 8
    assert [each["estimated"] for each in (*raw, *rolled)] == [True, True, False]


def test_percentiles_come_by_themselves_only_where_roll_ups_answer(
    stored: Stored, api: Api
) -> None:
    stored.span(run_id="run-1", duration_ns=5_000_000)
    for asked, is_there in (
        ({}, True),
        ({"interval": "1h", "group_by": "event"}, True),
        ({"percentiles": False}, False),
        ({"run": "run-1"}, False),
        ({"group_by": "run"}, False),
        ({"interval": "1m"}, False),
        ({"interval": "1m", "run": "run-1", "percentiles": True}, True),
    ):
        [row] = api.ask("/events/aggregate", **asked)
        found = {row[name] is not None for name in PERCENTILES}
        assert (asked, found) == (asked, {is_there})


def test_an_empty_period_has_no_rows(stored: Stored, api: Api) -> None:
    series = stored.series(1)
    stored.span()
    period = {"from_": at(10).isoformat(), "to": at(10).isoformat()}
    for path in ("/events/aggregate", "/events/counts", f"/series/{series}/aggregate"):
        assert api.ask(path, **period) == []


def test_what_cannot_be_grouped_by_is_refused(api: Api) -> None:
    answer = api.get("/api/v1/events/aggregate", group_by="event,colour")
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["parameter"] == "group_by"
    cursor = "WzEsIltdIl0"  # [1,"[]"]
    assert api.get("/api/v1/events/aggregate", cursor=cursor).status_code == 422


def test_every_number_says_its_unit_or_what_it_counts() -> None:
    for name, field in EventAggregate.model_fields.items():
        assert field.description, name


def some_points(stored: Stored, series: int) -> list[tuple[float, float | None]]:
    chance = random.Random(5)
    points: list[tuple[float, float | None]] = []
    # Of one microsecond any may be called the first.
    for number, offset in enumerate(chance.choices(OFFSETS_S, k=120)):
        value = chance.choice([math.nan, math.inf, None, 1e200, *chance.choices(range(99), k=6)])
        points.append((offset + number * 1e-3, value))
        stored.point(series, time=at(points[-1][0]), value=value)
    return points


def test_an_aggregate_of_a_series_is_what_the_points_of_the_period_add_up_to(
    stored: Stored, api: Api
) -> None:
    series = stored.series(1)
    points = some_points(stored, 1)
    for interval, width in WIDTHS.items():
        for start, end in ((None, None), (30, 50_400.05), (0, 86_400), (60.02, 60.09), (None, 5)):
            asked = {"interval": interval}
            asked |= {"from_": at(start).isoformat()} if start is not None else {}
            asked |= {"to": at(end).isoformat()} if end is not None else {}
            found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
            for second, value in points:
                if value is not None and (start or -9) <= second < (end or 1e9):
                    found[bucket(at(second), width)].append((second, value))
            answers = api.ask(f"/series/{series}/aggregate", **asked, limit=1000)
            assert [answer["time"] for answer in answers] == sorted(found)
            for answer in answers:
                assert_tells(answer, [value for _, value in sorted(found[answer["time"]])])
            pages = list(api.pages(f"/series/{series}/aggregate", **asked, limit=2))
            assert [row for page in pages for row in page] == answers


def assert_tells(answer: Row, values: list[float]) -> None:
    finite = [value for value in values if abs(value) <= 1e100]
    assert (answer["count"], answer["non_finite_count"]) == (len(finite), len(values) - len(finite))
    names = ("min", "max", "first", "last", "sum")
    if not finite:
        assert {answer[name] for name in (*names, "mean", "std")} == {None}
        return
    mean = sum(finite) / len(finite)
    exact = (min(finite), max(finite), finite[0], finite[-1], sum(finite))
    assert tuple(answer[name] for name in names) == exact
    assert answer["mean"] == pytest.approx(mean)
    if len(finite) == 1:
        assert answer["std"] is None
    else:
        assert answer["std"] == pytest.approx(statistics.stdev(finite), abs=1e-6)


@pytest.mark.parametrize(
    "values", [[0.1] * 7, [1e100, -1e100, 1e100], [1e-200, 2e-200], [5e-324], [1e9, 1e9 + 1e-6]]
)
def test_deviations_beyond_the_range_of_numbers_are_no_error(
    stored: Stored, api: Api, values: list[float]
) -> None:
    series = stored.series(1)
    stored.points(1, list(values), start=1)
    for asked in ({}, {"from_": at(0.5).isoformat(), "to": at(50).isoformat()}):
        [row] = api.ask(f"/series/{series}/aggregate", **asked)
        exact = 2 / math.sqrt(3) * 1e100 if values[0] == 1e100 else 0
        assert row["std"] == (pytest.approx(exact) if len(values) > 1 else None)


def test_a_series_that_is_not_there_has_no_aggregate(api: Api) -> None:
    assert api.get("/api/v1/series/77/aggregate").status_code == 404
