"""Sampled spans for tests: some of a population, each with the variance terms that the collector would write.

The terms are sums over all pairs of rows, as their definition has them. What was kept is chosen by one
random number a trace.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from stored import at

Row = dict[str, Any]
Value = Callable[[Row], float]
SUMS: dict[str, Value] = {
    "count": lambda _row: 1.0,
    "duration": lambda row: float(row["duration_ns"]),
    "input_token": lambda row: float(row["input_tokens"] or 0),
    "output_token": lambda row: float(row["output_tokens"] or 0),
    "cost": lambda row: float(row["cost_usd"] or 0),
}
KEY = ("experiment_id", "run_id", "event_name", "model", "status_code")
LATENCY_KEY = ("experiment_id", "event_name", "model", "status_code")


def is_error(row: Row) -> float:
    return float(row["status_code"] == 2)


def population(seed: int, traces: int) -> list[Row]:
    """Spans of traces of one to six, over two hours, of three events and two runs; errors are rare."""
    chance = random.Random(seed)
    rows = []
    for number in range(1, traces + 1):
        begin = chance.uniform(0, 7_200)
        for _ in range(chance.choice([1, 1, 2, 3, 6])):
            tokens = chance.choice([None, 3, 40])
            rows.append(
                {
                    "time": at(begin + chance.choice([0, 0, 1, 70])),
                    "trace_id": uuid.UUID(int=number),
                    "duration_ns": int(chance.lognormvariate(16, 1.2)),
                    "name": chance.choice(["ask", "ask", "embed", "rank"]),
                    "experiment_id": "sweep",
                    "run_id": f"run-{number % 2}",
                    "model": chance.choice([None, "tiny"]),
                    "status_code": chance.choices([0, 1, 2], [3, 6, 1])[0],
                    "input_tokens": tokens,
                    "output_tokens": None,
                    "cost_usd": None if tokens is None else tokens * 0.01,
                }
            )
            rows[-1]["event_name"] = rows[-1]["name"]
    return rows


def kept(rows: Iterable[Row], probability: Callable[[Row], float], seed: int = 1) -> list[Row]:
    """What a sampler keeps that decides by one number a trace, each row with its own probability."""
    chance = random.Random(seed)
    numbers: defaultdict[uuid.UUID, float] = defaultdict(chance.random)
    chosen = [{**row, "sample_probability": probability(row)} for row in rows]
    return [row for row in chosen if numbers[row["trace_id"]] < row["sample_probability"]]


def variance_of(rows: Iterable[Row], value: Value) -> float:
    """Of the sum of x/p: over all pairs of a trace (x/p)(y/q)(1 - max(p, q))."""
    by_trace: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        by_trace[row["trace_id"]].append(row)
    return math.fsum(_pairs(each, each, value) for each in by_trace.values())


def _pairs(some: list[Row], others: list[Row], value: Value) -> float:
    return math.fsum(
        value(a) / p * value(b) / q * (1 - max(p, q))
        for a in some
        for b in others
        if (p := a["sample_probability"]) and (q := b["sample_probability"])
    )


def with_terms(rows: list[Row]) -> list[Row]:
    """The rows of one window with what the collector writes beside each."""
    made = [dict(row) for row in rows]
    by_trace: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in made:
        by_trace[row["trace_id"]].append(row)
    for of_trace in by_trace.values():
        _write_terms(of_trace)
    return made


def batch(rows: list[Row]) -> pa.RecordBatch:
    """The rows with their terms, as they are written."""
    made = with_terms(rows)
    names = {name: None for row in made for name in row}
    names.pop("trace_id")
    columns = {name: pa.array([row.get(name) for row in made], _kind(name)) for name in names}
    columns["trace_id"] = pa.array([row["trace_id"].bytes for row in made], pa.binary(16))
    for name in ("span_id", "resource_id", "scope_id"):
        columns[name] = pa.array(range(len(made)), pa.int64())
    return pa.RecordBatch.from_pydict(columns)


def _kind(name: str) -> pa.DataType | None:
    kinds = {"time": pa.timestamp("us", "UTC"), "status_code": pa.int16()}
    if name in ("duration_ns", "input_tokens", "output_tokens"):
        return pa.int64()
    is_number = name.endswith(("_variance", "_traces", "_probability", "_usd"))
    return kinds.get(name, pa.float64() if is_number else None)


def _write_terms(of_trace: list[Row]) -> None:
    clusters = _clusters(of_trace, lambda row: (*_keys(row, KEY), _minute(row)))
    of_event = Counter(cluster[0]["event_name"] for cluster in clusters)
    is_sampled = any(row["sample_probability"] < 1 for row in of_trace)
    for cluster in clusters:
        first = cluster[0]
        event = [row for row in of_trace if row["event_name"] == first["event_name"]]
        for what, value in SUMS.items():
            first[f"{what}_variance"] = _pairs(cluster, event, value) or None
            first[f"{what}_trace_variance"] = _pairs(cluster, of_trace, value) or None
        first["error_variance"] = _pairs(cluster, of_trace, is_error) or None
        if is_sampled:
            first["uncertain_event_traces"] = 1 / of_event[first["event_name"]]
            first["uncertain_traces"] = 1 / len(clusters)
    for cluster in _clusters(of_trace, _latency_cluster):
        event = [row for row in of_trace if row["event_name"] == cluster[0]["event_name"]]
        cluster[0]["latency_variance"] = _pairs(cluster, event, SUMS["count"]) or None


def _clusters(rows: list[Row], key: Callable[[Row], Any]) -> list[list[Row]]:
    found: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return list(found.values())


def _keys(row: Row, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _minute(row: Row) -> dt.datetime:
    time: dt.datetime = row["time"]
    return time.replace(second=0, microsecond=0)


def _latency_cluster(row: Row) -> tuple[Any, ...]:
    bucket = math.ceil(math.log(max(row["duration_ns"], 1)) / math.log(1.01 / 0.99))
    return (*_keys(row, LATENCY_KEY), bucket, _minute(row).replace(minute=0))
