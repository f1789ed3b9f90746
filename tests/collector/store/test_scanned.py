"""What scans read: in the order that detectors need, as the indexes give it, however much there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from crucible_collector.store import replay
from crucible_collector.store.connect import connect
from crucible_collector.store.read import query_text
from crucible_collector.store.replay import REPLAY
from crucible_collector.store.scanned import Wanted, scanned, session
from databases import TestServer
from planned import nodes
from stored import RESOURCE, SCOPE, Stored, at

SERIES, POINTS, DAYS = 300, 40, 3
FILL_POINTS = """
insert into crucible.points (series_id, time, step, value)
select series_id, %(begin)s + n * interval '2 hours', n, n
from generate_series(1, %(points)s) n, crucible.series
"""
FILL_SPANS = """
insert into crucible.spans (time, duration_ns, trace_id, span_id, name, event_name, resource_id, scope_id,
    run_id, status_code, sample_probability)
select %(begin)s + n * interval '10 seconds', 5, gen_random_uuid(), n, 'ask', 'ask', %(resource)s, %(scope)s,
    'run-' || n %% 1000, 0, 1
from generate_series(1, 20000) n
"""


@pytest.fixture(scope="module")
def dsn(module_server: TestServer) -> Iterator[str]:
    """Series of three runs, whose points come in turns; and the events of a thousand."""
    with module_server.database() as found:
        with psycopg.connect(found, autocommit=True) as conn:
            stored = Stored(conn)
            stored.resource()
            for number in range(SERIES):
                stored.series(number, run_id=f"run-{number % 3}", event_name="train", rank=number)
            facts: dict[str, Any] = {"begin": at(0), "resource": RESOURCE, "scope": SCOPE}
            conn.execute(FILL_POINTS.encode(), facts | {"points": POINTS})
            conn.execute(FILL_SPANS.encode(), facts)
            conn.execute("analyze")
        yield found


def plan(dsn: str, question: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    settings = {**REPLAY.settings, **session(Wanted(run=parameters.get("run")))}
    text = f"explain (format json) declare looked_at cursor for {query_text(question)}"
    with closing(connect(dsn, replace(REPLAY, settings=settings))) as conn:
        row = psycopg.ClientCursor(conn).execute(text.encode(), parameters).fetchone()
    assert row is not None
    return list(nodes(row[0][0]["Plan"]))


@pytest.mark.parametrize("batch_rows", [7, replay.BATCH_ROWS])
def test_points_come_series_by_series_the_oldest_first(
    dsn: str, batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "BATCH_ROWS", batch_rows)
    with scanned(dsn, Wanted(run="run-1")) as stored:
        assert stored.extent().series_count == SERIES // 3
        ids = [each for batch in stored.series() for each in batch["series_id"]]
        assert ids == list(range(1, SERIES, 3))
        found = [
            (place, time_ns, step)
            for batch in stored.points(ids)
            for place, time_ns, step in zip(
                batch["place"], batch["time_ns"], batch["step"], strict=True
            )
        ]
    begin_ns = round(at(0).timestamp()) * 1_000_000_000
    assert found == [
        (place, begin_ns + step * 7200 * 1_000_000_000, step)
        for place in range(1, len(ids) + 1)
        for step in range(1, POINTS + 1)
    ]


def test_points_are_given_as_they_are_read(dsn: str) -> None:
    """No series waits for another one: nothing is sorted but numbers of the same microsecond."""
    found = plan(
        dsn,
        "scanned_points",
        {"series": list(range(200)), "from_time": at(0), "to_time": at(DAYS * 86_400)},
    )
    assert "Sort" not in {node["Node Type"] for node in found}
    scans = [node for node in found if node["Node Type"].endswith("Scan") and "Index Name" in node]
    assert scans
    assert all("series_id" in node["Index Cond"] for node in scans)


@pytest.mark.parametrize("run", ["run-7", None])
def test_events_are_given_as_they_are_read(dsn: str, run: str | None) -> None:
    parameters: dict[str, Any] = dict.fromkeys(("experiment", "event"))
    period = {"from_time": at(0), "to_time": at(0) + dt.timedelta(days=DAYS)}
    found = plan(dsn, "scanned_spans", parameters | {"run": run, "attributes": []} | period)
    assert not [node for node in found if "Sort" in node["Node Type"]]
    condition = "run_id" if run else "time"
    scans = [
        node for node in found if node.get("Alias", "").startswith("s") and "Index Cond" in node
    ]
    assert scans
    assert all(condition in node["Index Cond"] for node in scans)


def test_a_part_is_half_open_and_of_what_is_asked_for(dsn: str) -> None:
    part = Wanted(run="run-7", start=at(1000), end=at(25_000))
    with scanned(dsn, part) as stored:
        spans = list(stored.spans())
    starts = [ns for batch in spans for ns in batch["start_ns"]]
    begin_ns = round(at(0).timestamp()) * 1_000_000_000
    assert starts == [begin_ns + n * 10 * 1_000_000_000 for n in range(100, 2500) if n % 1000 == 7]
