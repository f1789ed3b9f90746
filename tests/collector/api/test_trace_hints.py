"""What is said of a trace or a correlation id is the same with hints of its days and without."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from hinted import DAY, build, forget, horizon
from rows_of import Ingest, at, execute, ingest, logs, span_of, traces
from stored import T0, Api, Stored
from traffic import key_value

DAYS = 14
TRACES = [uuid.UUID(int=number) for number in range(1, 7)]
ELSEWHERE = uuid.UUID(int=99)
# One is a trace's id: what has no correlation id of its own is under it, too.
CORRELATIONS = ["order", "größe", TRACES[0].hex]
MIDNIGHT = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
PERIODS: list[dict[str, str]] = [
    {},
    {"from": "2026-11-12T07:00:00Z", "to": "2026-11-20T01:00:00Z"},
]
Put = Callable[[uuid.UUID, str | None, dt.datetime, bool], None]


@pytest.fixture
def collector(tmp_path: Path, database: str) -> Iterator[Ingest]:
    with ingest(database, tmp_path / "journal") as one:
        yield one


def put_into(stored: Stored) -> Put:
    """Rows that an earlier version has written, or this one in time."""

    def put(trace: uuid.UUID, correlation: str | None, time: dt.datetime, is_log: bool) -> None:
        if is_log:
            stored.log(trace_id=trace, correlation_id=correlation, time=time, body=f'"{time}"')
        else:
            stored.span(trace_id=trace, correlation_id=correlation, time=time)

    return put


def send_to(collector: Ingest) -> Put:
    """The same in windows of a collector, which say what is late."""

    def send(trace: uuid.UUID, correlation: str | None, time: dt.datetime, is_log: bool) -> None:
        time_ns = at((time - T0).total_seconds())
        said = [key_value("crucible.correlation.id", correlation)] if correlation else []
        if is_log:
            collector.store(
                logs(LogRecord(time_unix_nano=time_ns, trace_id=trace.bytes, attributes=said))
            )
            return
        span = span_of(time_ns)
        span.trace_id, span.start_time_unix_nano, span.end_time_unix_nano = (
            trace.bytes,
            time_ns,
            time_ns,
        )
        span.attributes.extend(said)
        collector.store(traces(span))

    return send


def scatter(rng: random.Random, put: Put, count: int) -> None:
    for _ in range(count):
        time = T0 + dt.timedelta(minutes=50) - rng.random() * DAYS * DAY
        put(rng.choice(TRACES), rng.choice([None, None, *CORRELATIONS]), time, rng.random() < 0.4)


def answers(api: Api) -> dict[str, Any]:
    asked: list[tuple[str, dict[str, str]]] = []
    for trace in [*TRACES, ELSEWHERE]:
        asked += [
            (f"/traces/{trace}", {}),
            ("/events", {"trace": trace.hex}),
            ("/logs", {"trace": trace.hex}),
        ]
    for correlation in [*CORRELATIONS, TRACES[1].hex, "nobody's"]:
        asked += [
            (f"/correlations/{correlation}", {}),
            ("/events", {"correlation": correlation}),
            ("/events", {"correlation": correlation, "trace": TRACES[2].hex}),
        ]
    return {
        f"{path} {given | period}": list(pages(api, path, given | period))
        for path, given in asked
        for period in PERIODS
    }


def pages(api: Api, path: str, given: dict[str, str]) -> Iterator[Any]:
    cursor: dict[str, str] = {}
    while True:
        answer = api.get(f"/api/v1{path}", limit=7, **given, **cursor).json()
        yield answer
        if not answer.get("meta", {}).get("has_more"):
            return
        cursor = {"cursor": answer["meta"]["next_cursor"]}


def compare(api: Api, database: str) -> None:
    covered = horizon(database)["covered_until"]
    assert covered is not None
    with_hints = answers(api)
    forget(database)
    assert with_hints == answers(api)
    execute(database, f"update crucible.trace_horizon set covered_until = '{covered}'")


def test_answers_are_the_same_with_and_without_hints(
    stored: Stored, api: Api, database: str, collector: Ingest
) -> None:
    rng = random.Random(1208)
    put, send = put_into(stored), send_to(collector)
    scatter(rng, put, 40)
    for seconds in (-1e-6, 0):
        put(TRACES[0], None, MIDNIGHT + dt.timedelta(seconds=seconds), False)
    put(TRACES[3], "order", T0 - 30 * DAY, False)
    build(database)
    compare(api, database)
    scatter(rng, send, 40)
    compare(api, database)
    build(database)
    scatter(rng, send, 10)
    compare(api, database)
    build(database, T0 + 3 * DAY)
    compare(api, database)
