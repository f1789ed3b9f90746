"""A run that falls silent has stalled; one whose news is only late has not."""

from __future__ import annotations

import datetime as dt
import json
import logging
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crucible_collector.store import stalls
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.stalls import Patience, Stalls
from rows_of import (
    RECEIVED_NS,
    SECOND_NS,
    Ingest,
    at,
    entry_of,
    execute,
    ingest,
    row_of,
    span_of,
    traces,
    write_entries,
)

LOG = logging.getLogger("test")
# By the collectors' clocks, which have nothing to do with the database's.
NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)


def ago(seconds: float) -> dt.datetime:
    return NOW - dt.timedelta(seconds=seconds)


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


@pytest.fixture
def plain_conn(plain_database: str) -> Iterator[Connection]:
    with closing(connect(plain_database, MAINTENANCE)) as opened:
        yield opened


def put_run(conn: Connection, run_id: str = "run", **values: Any) -> None:
    """A running run with a heartbeat every 10 s, heard of 100 s ago."""
    row = {
        "run_id": run_id,
        "status": "running",
        "heartbeat_interval_s": 10.0,
        "last_received_at": ago(100),
        **values,
    }
    conn.execute(
        "insert into crucible.runs (first_seen, last_seen, run_id, status, heartbeat_interval_s,"
        " last_received_at) values (now(), now(), %(run_id)s, %(status)s,"
        " %(heartbeat_interval_s)s, %(last_received_at)s)",
        row,
    )


def put_collector(
    conn: Connection,
    stored_until: dt.datetime | None = NOW,
    heard_since: dt.datetime | None = NOW - dt.timedelta(days=1),
    silent_s: float = 0.0,
) -> None:
    """A collector's journal: by default, caught up and listening for a day."""
    conn.execute(
        "insert into crucible.positions (journal_id, position, stored_until, heard_since, updated_at)"
        " values (%s, 0, %s, %s, now() - %s * interval '1 second')",
        (uuid.uuid4(), stored_until, heard_since, silent_s),
    )


def noticed(conn: Connection, **patience: float) -> list[str]:
    return Stalls(Patience(**patience), LOG).notice(conn)


def test_a_run_that_promised_heartbeats_and_fell_silent_has_stalled(
    conn: Connection, database: str
) -> None:
    put_collector(conn)
    put_run(conn)
    assert noticed(conn) == ["run"]
    row = row_of(database, "runs")
    assert row["status"] == "stalled"
    assert row["stalled_at"] is not None
    assert noticed(conn) == []


@pytest.mark.parametrize(
    ("silent_s", "interval_s", "is_stalled"),
    [
        (29.9, 1.0, False),  # never before min_s
        (30.1, 1.0, True),
        (59.9, 20.0, False),  # three intervals
        (60.1, 20.0, True),
    ],
)
def test_patience_is_three_intervals_and_at_least_thirty_seconds(
    plain_conn: Connection, silent_s: float, interval_s: float, is_stalled: bool
) -> None:
    put_collector(plain_conn)
    put_run(plain_conn, last_received_at=ago(silent_s), heartbeat_interval_s=interval_s)
    assert noticed(plain_conn) == (["run"] if is_stalled else [])


def test_patience_can_be_set(plain_conn: Connection) -> None:
    put_collector(plain_conn)
    put_run(plain_conn, last_received_at=ago(5), heartbeat_interval_s=1.0)
    assert noticed(plain_conn, intervals=6, min_s=1) == []
    assert noticed(plain_conn, intervals=4, min_s=6) == []
    assert noticed(plain_conn, intervals=4, min_s=1) == ["run"]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "early_stopped", "pending"])
def test_only_what_runs_can_stall(plain_conn: Connection, status: str) -> None:
    put_collector(plain_conn)
    put_run(plain_conn, status=status)
    assert noticed(plain_conn) == []


def test_who_never_promised_a_heartbeat_is_never_declared_stalled(plain_conn: Connection) -> None:
    put_collector(plain_conn)
    put_run(plain_conn, heartbeat_interval_s=None, last_received_at=ago(86_400))
    assert noticed(plain_conn) == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"stored_until": ago(90)}, id="has a journal to catch up with"),
        pytest.param({"stored_until": None}, id="has stored nothing yet"),
        pytest.param({"heard_since": ago(20)}, id="began to listen just now"),
        pytest.param({"stored_until": ago(600), "silent_s": 3000}, id="is away from the database"),
    ],
)
def test_nothing_is_declared_while_another_collector_may_know_more(
    plain_conn: Connection, other: dict[str, Any]
) -> None:
    put_collector(plain_conn)
    put_collector(plain_conn, **other)
    put_run(plain_conn)
    assert noticed(plain_conn) == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"heard_since": None, "stored_until": ago(600)}, id="ended in order"),
        pytest.param({"stored_until": ago(9000), "silent_s": 4000}, id="is gone for good"),
        pytest.param({"stored_until": ago(-300)}, id="has a clock that is ahead"),
    ],
)
def test_a_collector_that_knows_nothing_more_is_not_waited_for(
    plain_conn: Connection, other: dict[str, Any]
) -> None:
    put_collector(plain_conn)
    put_collector(plain_conn, **other)
    put_run(plain_conn)
    assert noticed(plain_conn) == ["run"]


def test_without_any_collector_nothing_is_declared(plain_conn: Connection) -> None:
    put_run(plain_conn)
    assert noticed(plain_conn) == []


def test_silence_is_counted_from_when_the_collector_began_to_listen(
    plain_conn: Connection,
) -> None:
    """A collector that was away for a day does not find all runs stalled when it is back."""
    put_collector(plain_conn, heard_since=ago(29))
    put_run(plain_conn, last_received_at=ago(86_400))
    assert noticed(plain_conn) == []
    plain_conn.execute("update crucible.positions set heard_since = %s", (ago(31),))
    assert noticed(plain_conn) == ["run"]


def test_of_two_collectors_one_does_the_round(plain_conn: Connection, plain_database: str) -> None:
    put_collector(plain_conn)
    put_run(plain_conn)
    with psycopg.connect(plain_database) as leader:
        leader.execute(stalls.LOCK, (stalls.LOCK_KEY,))
        assert noticed(plain_conn) == []
    assert noticed(plain_conn) == ["run"]


def test_many_watchers_declare_each_run_once(plain_database: str) -> None:
    def watch(_number: int) -> list[str]:
        with closing(connect(plain_database, MAINTENANCE)) as conn:
            return [run for _ in range(10) for run in noticed(conn)]

    names = [f"run-{number:02}" for number in range(50)]
    with closing(connect(plain_database, MAINTENANCE)) as conn:
        put_collector(conn)
        for name in names:
            put_run(conn, name)
    with ThreadPoolExecutor(4) as pool:
        declared = [run for runs in pool.map(watch, range(4)) for run in runs]
    assert sorted(declared) == names


def test_a_run_that_is_being_written_is_left_for_the_next_round(
    plain_conn: Connection, plain_database: str
) -> None:
    put_collector(plain_conn)
    put_run(plain_conn, "busy")
    put_run(plain_conn, "silent")
    with psycopg.connect(plain_database) as writer:
        writer.execute("update crucible.runs set last_step = 1 where run_id = 'busy'")
        assert noticed(plain_conn) == ["silent"]
    assert noticed(plain_conn) == ["busy"]


def test_a_round_reads_no_run_but_those_that_run(plain_conn: Connection) -> None:
    plain_conn.execute(
        "insert into crucible.runs (first_seen, last_seen, run_id, status, heartbeat_interval_s)"
        " select now(), now(), n::text, 'completed', 10 from generate_series(1, 5000) n"
    )
    plain_conn.execute("analyze crucible.runs")
    row = plain_conn.execute(
        "explain (format json) " + stalls.SILENT, {"gone_after_s": 1, "min_s": 1, "intervals": 1}
    ).fetchone()
    assert row is not None
    assert "runs_heartbeat" in json.dumps(row[0])


# What is heard of a stalled run.


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


def store(collector: Ingest, name: str, number: int, received_s: float, **attributes: Any) -> None:
    span = span_of(number, name, crucible__run__id="run", **attributes)
    span.start_time_unix_nano = at(-200 + number)
    span.end_time_unix_nano = at(-200 + number)
    entry = entry_of(traces(span), received_ns=RECEIVED_NS + round(received_s * SECOND_NS))
    window = write_entries(collector.journal, [entry])
    from crucible_collector.pipeline.prepare import prepare

    collector.write(prepare(window, collector.remembered.known()))


def silent_run(collector: Ingest, dsn: str) -> None:
    """A training that was last heard of at the receipt of every request, and has stalled since."""
    store(collector, "crucible_train.training.start", 1, -10)
    store(collector, "crucible_telemetry.run.heartbeat", 2, 0, crucible__heartbeat__interval_s=10.0)
    until = dt.datetime.fromtimestamp((RECEIVED_NS + 100 * SECOND_NS) / 1e9, dt.UTC)
    execute(
        dsn,
        f"update crucible.positions set stored_until = '{until}', heard_since = '{ago(9e6)}'",
    )
    with closing(connect(dsn, MAINTENANCE)) as conn:
        assert noticed(conn) == ["run"]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stalled_run_that_is_heard_of_runs_again(
    collector: Ingest, plain_database: str, is_known: bool
) -> None:
    silent_run(collector, plain_database)
    if not is_known:
        collector.remembered.forget()
    store(collector, "crucible_telemetry.run.heartbeat", 3, 200, crucible__heartbeat__interval_s=10)
    row = row_of(plain_database, "runs")
    assert (row["status"], row["stalled_at"]) == ("running", None)


@pytest.mark.parametrize("is_known", [True, False])
def test_news_from_before_the_silence_is_no_sign_of_life(
    collector: Ingest, plain_database: str, is_known: bool
) -> None:
    silent_run(collector, plain_database)
    if not is_known:
        collector.remembered.forget()
    store(collector, "crucible_train.batch", 4, -5, crucible__step=7)
    row = row_of(plain_database, "runs")
    assert (row["status"], row["last_step"]) == ("stalled", 7)


@pytest.mark.parametrize(("name", "status"), [("crucible_train.training", "completed")])
def test_the_end_of_a_stalled_run_is_its_end(
    collector: Ingest, plain_database: str, name: str, status: str
) -> None:
    silent_run(collector, plain_database)
    store(collector, name, 5, 300)
    row = row_of(plain_database, "runs")
    assert (row["status"], row["stalled_at"]) == (status, None)
