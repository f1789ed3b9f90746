"""Stored records once more: all of a period, the earliest first, without sorting, on either database."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from crucible_collector.errors import DatabaseAwayError, DatabaseError, QueryTooSlowError
from crucible_collector.store import replay as module
from crucible_collector.store.connect import connect
from crucible_collector.store.read import query_text
from crucible_collector.store.replay import REPLAY, Batch, Wanted, replay
from databases import TestServer
from planned import nodes
from stored import RESOURCE, Stored, at

DAY_S = 86_400
FILL = """
insert into crucible.{relation} (time, trace_id, run_id, resource_id, scope_id{further})
select %(begin)s::timestamptz + n * interval '10 minutes', md5(n::text)::uuid, 'run-' || n %% 9, 11, 12{values}
from generate_series(0, 575) n
"""


@pytest.fixture
def stored(database: str) -> Iterator[Stored]:
    with psycopg.connect(database, autocommit=True) as conn:
        yield Stored(conn)


def wanted(start_s: float = 0, end_s: float = 60, **told: Any) -> Wanted:
    return Wanted(at(start_s), at(end_s), **told)


def read(batches: Iterator[Batch]) -> list[dict[str, Any]]:
    return [
        dict(zip(batch, row, strict=True))
        for batch in batches
        for row in zip(*batch.values(), strict=True)
    ]


def test_spans_and_logs_of_a_period_come_by_their_time_with_what_sampling_looks_at(
    database: str, stored: Stored
) -> None:
    stored.resource(service_name="trainer", attributes={"region": "north"})
    for second in (60, 5, 0, 7, -1):
        stored.span(
            time=at(second),
            time_ns_rest=7,
            trace_id=uuid.UUID(int=second + 2),
            event_name=f"at.{second}",
            attributes={"tier": "gold"} if second else {"region": "own"},
        )
        stored.log(time=at(second), severity_number=17 if second else 16)
    with replay(database, wanted(attributes=("tier", "region", "crucible.run.id"))) as found:
        spans, logs = read(found.spans()), read(found.logs())
    assert [each["event_name"] for each in spans] == ["at.0", "at.5", "at.7"]
    assert [each["start_ns"] for each in spans] == [
        int(at(second).timestamp()) * 1_000_000_000 + 7 for second in (0, 5, 7)
    ]
    assert [each["trace_id"] for each in spans] == [(n + 2).to_bytes(16) for n in (0, 5, 7)]
    assert [each["attributes"] for each in spans] == [
        [None, "own", None],
        ["gold", "north", None],
        ["gold", "north", None],
    ]
    assert {each["service_name"] for each in spans} == {"trainer"}
    assert [each["status_code"] for each in logs] == [0, 2, 2]
    assert all(each["row_bytes"] > 50 for each in (*spans, *logs))


def test_equal_records_without_a_trace_have_one_hash_and_others_another(
    database: str, stored: Stored
) -> None:
    for body in ("a", "a", "b"):
        stored.log(body=f'"{body}"')
    stored.log(trace_id=uuid.UUID(int=1))
    with replay(database, wanted()) as found:
        hashes = [each["row_hash"] for each in read(found.logs())]
    assert sorted(map(hashes.count, hashes)) == [1, 1, 2, 2]
    assert 0 in hashes


def test_an_experiment_has_what_names_it_and_what_its_runs_did(
    database: str, stored: Stored
) -> None:
    stored.run("run-1", experiment_id="sweep")
    stored.run("run-2", experiment_id="other")
    stored.span(run_id="run-1", event_name="of its run")
    stored.span(experiment_id="sweep", event_name="named")
    stored.span(run_id="run-2", event_name="of another run")
    stored.span(event_name="of none")
    with replay(database, wanted(experiment="sweep")) as found:
        names = {each["event_name"] for each in read(found.spans())}
    assert names == {"of its run", "named"}


def test_what_is_stored_while_it_is_read_is_not_in_it(database: str, stored: Stored) -> None:
    stored.span()
    with replay(database, wanted()) as found:
        assert len(read(found.logs())) == 0
        stored.span()
        assert len(read(found.spans())) == 1


def test_a_long_period_is_read_in_batches(
    database: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    for second in range(7):
        stored.span(time=at(second))
    with replay(database, wanted()) as found:
        assert [len(batch["start_ns"]) for batch in found.spans()] == [3, 3, 1]


@pytest.fixture(scope="module")
def planned(module_server: TestServer) -> Iterator[psycopg.Connection[Any]]:
    """Four days of records, and a connection as replay has it."""
    with module_server.database() as dsn:
        facts = {"begin": at(0)}
        with psycopg.connect(dsn, autocommit=True) as conn:
            own = ", duration_ns, span_id, name", ", 1, n, 'x'"
            spans = FILL.format(relation="spans", further=own[0], values=own[1])
            conn.execute(spans.encode(), facts)
            conn.execute(FILL.format(relation="logs", further="", values="").encode(), facts)
            Stored(conn).resource(RESOURCE)
            conn.execute("analyze")
        with closing(connect(dsn, REPLAY)) as conn:
            yield conn


@pytest.mark.parametrize("experiment", [None, "sweep"])
@pytest.mark.parametrize("question", ["simulated_spans", "simulated_logs"])
def test_rows_are_given_as_they_are_read(
    planned: psycopg.Connection[Any], question: str, experiment: str | None
) -> None:
    """Nothing is sorted before the first row is there, nor is any looked at of before the period."""
    parameters = {
        "from_time": at(2 * DAY_S),
        "to_time": at(3 * DAY_S),
        "experiment": experiment,
        "attributes": ["tier"],
    }
    text = f"explain (format json) declare looked_at cursor for {query_text(question)}"
    cursor = psycopg.ClientCursor(planned)
    row = cursor.execute(text.encode(), parameters).fetchone()
    assert row is not None
    found = list(nodes(row[0][0]["Plan"]))
    assert not [node["Node Type"] for node in found if "Sort" in node["Node Type"]]
    of_records = [node for node in found if node.get("Alias", "").startswith("s")]
    scans = [node for node in of_records if node["Node Type"] != "Custom Scan"]  # of chunks
    assert scans
    for scan in scans:
        assert scan["Node Type"] == "Index Scan"
        assert '"time" >=' in scan["Index Cond"]


def test_a_database_that_is_away_slow_or_empty_is_said_to_be(
    empty_database: str, plain_server: TestServer
) -> None:
    with (
        pytest.raises(DatabaseError, match="no store"),
        replay(empty_database, wanted()) as found,
    ):
        list(found.spans())
    with (
        pytest.raises(DatabaseAwayError, match="does not answer"),
        replay("host=127.0.0.1 port=1", wanted()),
    ):
        pass
    with plain_server.database() as dsn, psycopg.connect(dsn) as conn:
        conn.execute("lock crucible.spans")
        with (
            pytest.raises(QueryTooSlowError, match="simulated_spans"),
            replay(dsn, wanted(), batch_timeout_s=0.2) as found,
        ):
            list(found.spans())


def test_the_period_may_be_years(database: str, stored: Stored) -> None:
    stored.span(time=dt.datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=dt.UTC))
    years = Wanted(dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    with replay(database, years) as found:
        (only,) = read(found.spans())
    assert only["start_ns"] == 1_709_251_199_999_999_000
