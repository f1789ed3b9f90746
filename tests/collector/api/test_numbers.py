"""Any number by any group is what NumPy makes of the rows, sampled or not, from roll-ups or from raw rows."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from crucible_collector.batch import F64
from stored import RESOURCE, Api, Stored, at

Row = dict[str, Any]
FRACTIONS = {"p5": 0.05, "median": 0.5, "p95": 0.95, "p99.9": 0.999}
PLAIN = ("count", "sum", "avg", "min", "max", "std")
METRIC = "measurement.score"


def sampled_spans(stored: Stored, count: int = 400, *, trace_count: int = 130) -> list[Row]:
    """Over nine hours; traces have up to some spans, with one probability or with several."""
    drawn = np.random.default_rng(7)
    stored.resource(99, service_name="gateway", attributes={"host.name": "b"})
    rows = []
    for number in range(count):
        score = round(float(drawn.normal(2, 3)), 3)
        row: Row = {
            "time": at(float(drawn.integers(0, 9 * 3600))),
            "duration_ns": int(drawn.lognormal(16, 1)),
            "trace_id": uuid.UUID(int=int(drawn.integers(trace_count)) + 1),
            "name": str(drawn.choice(["a", "b"])),
            "run_id": str(drawn.choice(["run-1", "run,2"])),
            "condition": [None, "low", "high"][drawn.integers(3)],
            "model": [None, "tiny"][drawn.integers(2)],
            "status_code": int(drawn.integers(3)),
            "epoch": int(drawn.integers(3)),
            "cost_usd": [None, 0.25, 1.5][drawn.integers(3)],
            "resource_id": [RESOURCE, 99][drawn.integers(2)],
            "sample_probability": [1.0, 0.5, 0.1][drawn.integers(3)],
            "attributes": {
                "crucible.measurement.score": score if number % 5 else {"$double": "NaN"},
                "tier": ["gold", "tin"][drawn.integers(2)],
                "heat": [0.5, 1, "1"][drawn.integers(3)],
            },
        }
        if number % 11 == 0:
            del row["attributes"]["crucible.measurement.score"]
        rows.append(row)
    stored.spans(rows)
    return rows


def score_of(row: Row) -> float | None:
    found = row["attributes"].get("crucible.measurement.score")
    return math.nan if isinstance(found, dict) else found


def weighted(values: F64, weights: F64) -> dict[str, float]:
    """By the definitions, each in one line."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    mean = float((weights * values).sum() / weights.sum())
    effective = weights.sum() ** 2 / (weights**2).sum()
    deviations = float((weights * (values - mean) ** 2).sum() / weights.sum())
    percentiles = {
        name: float(values[order][np.argmax(below >= part - 1e-12)])
        for name, part in FRACTIONS.items()
    }
    percentiles["p50"] = percentiles["median"]
    return {
        "count": float(weights.sum()),
        "sum": float((weights * values).sum()),
        "avg": mean,
        "min": float(values.min()),
        "max": float(values.max()),
        "std": math.sqrt(deviations * effective / (effective - 1)),
        **percentiles,
    }


def arrays(rows: Iterable[Row]) -> tuple[F64, F64]:
    found = [(score_of(row), 1 / row["sample_probability"]) for row in rows]
    kept = [
        (score, weight) for score, weight in found if score is not None and math.isfinite(score)
    ]
    return np.array([score for score, _ in kept]), np.array([weight for _, weight in kept])


def variance(rows: Iterable[Row], values: Iterable[float]) -> float:
    """Sum over the pairs of each trace of (x/p)(y/q)(1 - max(p, q))."""
    traces: defaultdict[uuid.UUID, list[tuple[float, float]]] = defaultdict(list)
    for row, value in zip(rows, values, strict=True):
        traces[row["trace_id"]].append((value, row["sample_probability"]))
    return sum(
        x / p * y / q * (1 - max(p, q)) for of in traces.values() for x, p in of for y, q in of
    )


def assert_says(answer: Row, rows: list[Row]) -> None:
    values, weights = arrays(rows)
    expected = weighted(values, weights)
    for name, value in answer["values"].items():
        assert value == pytest.approx(expected[name], rel=1e-9), name
    assert answer["stored_count"] == len(values)
    for name, interval in answer["intervals"].items():
        if name not in ("min", "max"):
            low, high = interval
            assert low is None or low <= answer["values"][name] + 1e-9, name
            assert high is None or high >= answer["values"][name] - 1e-9, name


def asked(api: Api, **parameters: Any) -> list[Row]:
    given = {"metric": METRIC, "agg": ",".join((*PLAIN, *FRACTIONS)), "limit": 1000}
    rows: list[Row] = api.ask("/aggregate", **{**given, **parameters})
    return rows


def test_all_of_it_is_what_numpy_makes_of_it(stored: Stored, api: Api) -> None:
    rows = sampled_spans(stored)
    (answer,) = asked(api)
    assert_says(answer, rows)
    assert answer["estimated"] is True
    assert answer["interval_reliable"] is True
    assert answer["non_finite_count"] == sum(
        score is not None and math.isnan(score) for score in map(score_of, rows)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("condition", lambda row: row["condition"]),
        ("status", lambda row: ("unset", "ok", "error")[row["status_code"]]),
        ("service", lambda row: {RESOURCE: "trainer", 99: "gateway"}[row["resource_id"]]),
        ("epoch", lambda row: str(row["epoch"])),
        ("attribute.heat", lambda row: str(row["attributes"]["heat"])),
        ("resource.host.name", lambda row: {RESOURCE: None, 99: "b"}[row["resource_id"]]),
    ],
)
def test_groups_are_by_identity_or_by_what_events_carry(
    stored: Stored, api: Api, name: str, value: Any
) -> None:
    rows = sampled_spans(stored)
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[value(row)].append(row)
    found = asked(api, group_by=name)
    assert [each["group"][name] for each in found] == sorted(
        groups, key=lambda key: (key is None, key or "")
    )
    for each in found:
        assert_says(each, groups[each["group"][name]])


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "1h", "6h", "1d"])
def test_intervals_are_counted_from_midnight(stored: Stored, api: Api, interval: str) -> None:
    rows = sampled_spans(stored, 150)
    minutes = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "6h": 360, "1d": 1440}[interval]
    counts: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        minute = (row["time"].hour * 60 + row["time"].minute) // minutes * minutes
        counts[f"{minute // 60:02}:{minute % 60:02}"] += 1 / row["sample_probability"]
    for metric in ("count", "measurement.score"):
        found = asked(api, metric=metric, interval=interval, agg="count", limit=1000)
        if metric == "count":
            told = {each["time"][11:16]: each["values"]["count"] for each in found}
            assert told == pytest.approx(dict(counts))
        assert [each["time"] for each in found] == sorted(each["time"] for each in found)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ("attribute.tier=gold", lambda row: row["attributes"]["tier"] == "gold"),
        ("attribute.tier!=gold,lead", lambda row: row["attributes"]["tier"] == "tin"),
        ("attribute.heat=1", lambda row: row["attributes"]["heat"] in (1, "1")),
        ("attribute.heat>=0.75", lambda row: row["attributes"]["heat"] == 1),
        ("measurement.score", lambda row: score_of(row) is not None),
        ("duration>9", lambda row: row["duration_ns"] > 9e6),
        ("epoch=0,2", lambda row: row["epoch"] != 1),
        ("!cost", lambda row: row["cost_usd"] is None),
    ],
)
def test_conditions_choose_events(stored: Stored, api: Api, where: str, fits: Any) -> None:
    rows = [row for row in sampled_spans(stored) if fits(row)]
    (answer,) = asked(api, where=where)
    assert_says(answer, rows)


def test_filters_of_several_values_mean_any_and_of_several_names_all(
    stored: Stored, api: Api
) -> None:
    rows = sampled_spans(stored)
    chosen = [
        row
        for row in rows
        if row["condition"] in ("low", "high")
        and row["run_id"] == "run,2"
        and row["resource_id"] == 99
    ]
    (answer,) = asked(api, condition="low,high", run="run\\,2", service="gateway", kind=[])
    assert_says(answer, chosen)


def test_intervals_come_of_the_variance_of_whole_traces(stored: Stored, api: Api) -> None:
    """Of a count; its upper end allows for one trace more."""
    rows = sampled_spans(stored, trace_count=150)
    (answer,) = asked(api, metric="count", agg="count", where="attribute.tier")
    error = math.sqrt(variance(rows, [1.0] * len(rows)))
    low, high = answer["intervals"]["count"]
    count = sum(1 / row["sample_probability"] for row in rows)
    assert count - low == pytest.approx(1.96 * error, rel=0.2)
    assert high - count == pytest.approx(1.96 * error, rel=0.35)


def test_roll_ups_and_raw_rows_say_the_same(stored: Stored, api: Api) -> None:
    """What only raw rows know is asked for beside, so that they answer."""
    sampled_spans(stored)
    for metric, agg in (
        ("count", "count"),
        ("errors", "count"),
        ("error_rate", "avg"),
        ("cost", "sum"),
    ):
        for group_by in ("", "run,status", "event,model"):
            (rolled, raw) = (
                asked(api, metric=metric, agg=agg, group_by=group_by, where=where)
                for where in ([], ["duration>=0"])
            )
            assert len(rolled) == len(raw)
            for one, other in zip(rolled, raw, strict=True):
                assert one["values"] == pytest.approx(other["values"]), (metric, group_by)
                assert one["group"] == other["group"]
    for name in ("count", "sum", "avg", "min", "max", "p50", "p99"):
        (by_roll_ups,), (by_rows,) = (
            asked(api, metric="duration", agg=name, where=where) for where in ([], ["duration>=0"])
        )
        near = 0.0101 if name.startswith("p") else 1e-9
        assert by_roll_ups["values"][name] == pytest.approx(by_rows["values"][name], rel=near)


def test_pages_are_the_whole_list(stored: Stored, api: Api) -> None:
    sampled_spans(stored)
    for metric in ("count", "measurement.score", "errors"):
        asked_for: Row = {
            "metric": metric,
            "group_by": "condition,event",
            "interval": "1h",
            "agg": [],
        }
        whole = asked(api, **asked_for)
        assert whole == [
            row for page in api.pages("/aggregate", **{**asked_for, "limit": 7}) for row in page
        ]


def points(stored: Stored) -> dict[str, list[float]]:
    """Of two runs with two ranks each, some not finite."""
    drawn = np.random.default_rng(3)
    found: dict[str, list[float]] = {}
    for run, condition in (("run-1", "low"), ("run-2", "high")):
        stored.run(run, condition=condition)
        found[condition] = []
        for rank in (0, 1):
            series = 100 + 10 * rank + int(run[-1])
            stored.series(series, "reward", run_id=run, rank=rank, event_name="step")
            values = [*map(float, drawn.normal(-1, 2, 90).round(3)), math.nan, math.inf]
            stored.points(series, values)
            found[condition] += values[:90]
    return found


def test_points_of_a_metric_are_summed_up_by_condition(stored: Stored, api: Api) -> None:
    of = points(stored)
    found = asked(api, metric="reward", group_by="condition")
    assert [each["group"]["condition"] for each in found] == ["high", "low"]
    for each in found:
        values = np.array(of[each["group"]["condition"]])
        expected = weighted(values, np.ones(len(values)))
        expected["std"] = float(values.std(ddof=1))
        assert each["values"] == pytest.approx({name: expected[name] for name in each["values"]})
        assert (each["stored_count"], each["non_finite_count"]) == (180, 4)
        assert each["intervals"]["avg"] == [each["values"]["avg"]] * 2
    asked_for = {"metric": "reward", "group_by": "run,rank", "interval": "1m", "agg": "sum,p50"}
    assert asked(api, **asked_for) == [
        row for page in api.pages("/aggregate", **{**asked_for, "limit": 3}) for row in page
    ]
    assert len(asked(api, **asked_for)) == 2 * 2 * 2


def test_a_metric_without_points_is_a_measurement_of_events(stored: Stored, api: Api) -> None:
    sampled_spans(stored, 50)
    points(stored)
    for metric, source in (("score", "events"), ("reward", "points"), (METRIC, "events")):
        assert api.get("/api/v1/aggregate", metric=metric).json()["meta"]["source"] == source
    assert asked(api, metric="score") == asked(api, metric=METRIC)
    assert api.ask("/aggregate", metric="reward", source="events") == []


def test_other_names_of_what_is_carried_are_known(stored: Stored, api: Api) -> None:
    """As instrumentations send them, in their own units."""
    first_token, provider = "gen_ai.response.time_to_first_chunk", "gen_ai.provider.name"
    stored.span(attributes={first_token: 0.25, "gen_ai.system": "openai"})
    stored.span(attributes={"crucible.measurement.time_to_first_token_ms": 750, provider: "openai"})
    (row,) = asked(
        api,
        metric="measurement.time_to_first_token_ms",
        group_by=f"attribute.{provider}",
        agg="min,max,count",
    )
    assert row["values"] == {"min": 250, "max": 750, "count": 2}
    assert row["group"] == {f"attribute.{provider}": "openai"}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"agg": "p100"}, "p100"),
        ({"agg": "mode"}, "mode"),
        ({"metric": "count", "agg": "p50"}, "says nothing"),
        ({"group_by": "colour"}, "colour"),
        ({"where": "colour=red"}, "colour"),
        ({"where": "attribute.heat>warm"}, "warm"),
        ({"where": "=1"}, "expected a name"),
        ({"interval": "2h"}, "1m"),
    ],
)
def test_what_means_nothing_is_refused(api: Api, parameters: dict[str, str], told: str) -> None:
    answer = api.client.get("/api/v1/aggregate", params={"metric": METRIC, **parameters})
    assert answer.status_code == 422
    assert told in answer.json()["error"]["message"]
