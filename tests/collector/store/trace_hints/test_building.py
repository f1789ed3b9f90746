"""Hints are complete whoever writes meanwhile, whatever clocks say, and whatever is dropped or restored."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from crucible_collector.batch import I64
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.ingest import statement
from crucible_collector.store.partitions import Connection
from crucible_collector.store.roles import WRITER
from crucible_collector.store.trace_hints import building, filters
from hinted import DAY, DUE, build, builder, horizon
from rows_of import Ingest, at, execute, ingest, rows_of, span_of, traces
from stored import T0, Stored

DAY_S = 86_400
ASKED = """
select array(
    select day from crucible.trace_filters
    where crucible.trace_hash(%(trace)s) between first_hash and last_hash
      and crucible.filter_has(filter, crucible.trace_hash(%(trace)s))
    union
    select day from crucible.late_traces where hash = crucible.trace_hash(%(trace)s)
    order by day)
"""


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    with closing(connect(database, MAINTENANCE)) as opened:
        yield opened


@pytest.fixture
def collector(tmp_path: Path, database: str) -> Iterator[Ingest]:
    with ingest(database, tmp_path / "journal") as one:
        yield one


def days_of(conn: Connection, trace: int) -> list[dt.date]:
    """Which days the hints name, covered or not."""
    row = conn.execute(ASKED, {"trace": uuid.UUID(int=trace)}).fetchone()
    assert row is not None
    found: list[dt.date] = row[0]
    return found


def put(conn: Connection, trace: int, days_ago: float) -> None:
    """A span that was there before, as a window of an earlier time has written it."""
    Stored(conn).span(trace_id=uuid.UUID(int=trace), time=T0 - days_ago * DAY)


def send(collector: Ingest, trace: int, days_ago: float) -> None:
    span = span_of(trace)
    span.start_time_unix_nano = at(-days_ago * DAY_S)
    span.end_time_unix_nano = at(-days_ago * DAY_S)
    collector.store(traces(span))


def day(days_ago: int) -> dt.date:
    return T0.date() - days_ago * DAY


def test_days_that_are_over_for_a_day_get_filters_the_oldest_first(
    conn: Connection, database: str
) -> None:
    for days_ago in (0, 1, 2, 3, 20):
        put(conn, 1, days_ago)
    hints = builder()
    for covered in (day(19), day(2), DUE):
        assert not hints.build(conn) or covered == DUE
        assert horizon(database)["covered_until"] == covered
    assert hints.build(conn)
    assert horizon(database)["covered_until"] == DUE
    assert days_of(conn, 1) == [day(20), day(3), day(2)]


def test_a_store_without_rows_is_covered_at_once(conn: Connection, database: str) -> None:
    assert builder().build(conn)
    assert horizon(database)["covered_until"] == DUE
    assert rows_of(database, "trace_filters") == []


def test_logs_and_correlation_ids_are_in_filters_too(conn: Connection, database: str) -> None:
    stored = Stored(conn)
    stored.log(time=T0 - 3 * DAY, trace_id=uuid.UUID(int=5), correlation_id="order")
    stored.log(time=T0 - 4 * DAY)
    stored.span(time=T0 - 3 * DAY, trace_id=uuid.UUID(int=6), correlation_id="order")
    build(database)
    (made,) = rows_of(database, "trace_filters")
    assert (made["day"], made["entry_count"]) == (day(3), 3)


def test_a_window_writes_down_what_it_has_of_days_that_may_be_covered(
    conn: Connection, database: str, collector: Ingest
) -> None:
    send(collector, 1, 9)
    assert rows_of(database, "late_traces") == []
    put(conn, 1, 5)
    build(database)
    for days_ago in (0, 1, 2, 12):
        send(collector, 2, days_ago)
    assert {row["day"] for row in rows_of(database, "late_traces")} == {day(2), day(12)}
    assert days_of(conn, 2) == [day(12), day(2)]
    build(database)
    assert rows_of(database, "late_traces") == []
    assert days_of(conn, 2) == [day(12), day(2)]


def test_a_request_sent_again_writes_nothing_down(
    conn: Connection, database: str, collector: Ingest
) -> None:
    build(database)
    send(collector, 2, 12)
    build(database)
    send(collector, 2, 12)
    assert rows_of(database, "late_traces") == []


def test_a_window_that_was_begun_before_is_waited_for(
    conn: Connection, database: str, collector: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not know that the day is being covered, and its rows cannot be seen yet."""
    monkeypatch.setattr(building, "WRITERS_WAIT_S", 0.05)
    put(conn, 1, 5)
    with psycopg.connect(database) as window:
        begun = window.execute(
            statement("position"),
            {
                "journal_id": collector.journal.journal_id,
                "start": collector.journal.head,
                "end": collector.journal.head + 1,
                "stored_until": None,
                "heard_since": None,
            },
        ).fetchone()
        assert begun == (None,)
        assert not builder().build(conn)
        assert horizon(database)["covered_until"] is None
        put(window, 2, 5)
        window.commit()
    build(database)
    assert days_of(conn, 2) == [day(5)]


def test_a_window_that_begins_while_hints_are_made_writes_down_what_it_has(
    conn: Connection, database: str, collector: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the worst moment: others have ended, and the day's rows are about to be read."""
    put(conn, 1, 5)
    read = building._hashes

    def read_and_send(own: Connection, of: dt.date) -> Iterator[I64]:
        yield from read(own, of)
        send(collector, 2, 5)

    monkeypatch.setattr(building, "_hashes", read_and_send)
    assert not builder().build(conn)
    assert {row["day"] for row in rows_of(database, "late_traces")} <= {day(5)}
    assert days_of(conn, 2) == [day(5)]


def test_one_collector_makes_hints_at_a_time(conn: Connection, database: str) -> None:
    put(conn, 1, 5)
    with closing(connect(database, MAINTENANCE)) as other:
        other.execute(building.LOCK, (building.LOCK_KEY,))
        assert builder().build(conn)
        assert horizon(database)["covered_until"] is None
    build(database)
    assert days_of(conn, 1) == [day(5)]


def test_a_clock_that_was_ahead_leaves_no_day_without_hints(
    conn: Connection, database: str, collector: Ingest
) -> None:
    put(conn, 1, 1)
    build(database, T0 + 30 * DAY)
    assert horizon(database)["covered_until"] == DUE + 30 * DAY
    send(collector, 2, 0)
    build(database)
    assert horizon(database)["covered_until"] == DUE
    send(collector, 3, 0.25)
    send(collector, 3, 1)
    build(database, T0 + 2 * DAY)
    assert [days_of(conn, trace) for trace in (1, 2, 3)] == [[day(1)], [day(0)], [day(1), day(0)]]
    assert [row["day"] for row in rows_of(database, "trace_filters", "day")] == [day(1), day(0)]


def test_hints_of_a_server_that_hashes_otherwise_are_made_anew(
    conn: Connection, database: str
) -> None:
    put(conn, 1, 5)
    build(database)
    execute(
        database,
        "update crucible.trace_horizon set hash_check = hash_check + 1;"
        "update crucible.trace_filters set filter = '\\x0000'",
    )
    build(database)
    assert days_of(conn, 1) == [day(5)]
    assert len(rows_of(database, "trace_filters")) == 1


def test_filters_of_days_without_rows_go_and_what_comes_for_them_later_is_found(
    conn: Connection, database: str, collector: Ingest
) -> None:
    put(conn, 1, 12)
    put(conn, 2, 5)
    build(database)
    conn.execute("delete from crucible.spans where time < %s", (T0 - 10 * DAY,))
    build(database)
    assert [row["day"] for row in rows_of(database, "trace_filters")] == [day(5)]
    send(collector, 3, 12)
    build(database)
    assert (days_of(conn, 1), days_of(conn, 3)) == ([], [day(12)])
    conn.execute("delete from crucible.spans")
    build(database)
    assert rows_of(database, "trace_filters") == []


def test_much_that_comes_late_gets_filters_that_grow_and_each_of_it_is_found(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "LATE_BATCH", 7_000)
    build(database)
    put(conn, 1, 5)
    said = "insert into crucible.late_traces (day, hash) select %s, crucible.trace_hash(md5(n::text)::uuid)"
    for count in (10, 1_500, 1_500, 30_000):
        for _ in range(2):
            conn.execute(f"{said} from generate_series(1, %s) n".encode(), (day(5), count))
        build(database)
    found = conn.execute(
        "select count(*) from generate_series(1, 30000) n where exists ("
        " select from crucible.trace_filters"
        " where crucible.filter_has(filter, crucible.trace_hash(md5(n::text)::uuid)))"
    ).fetchone()
    assert found == (30_000,)
    made = rows_of(database, "trace_filters", "octet_length(filter)")
    assert [filters.capacity(len(row["filter"])) for row in made] == [1_024, 8_192, 65_536]
    # What is in the newest already is not added again; a few are taken for such.
    assert 29_000 < sum(row["entry_count"] for row in made) <= 40_000


def test_a_day_of_many_traces_has_filters_of_ranges(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "ENTRIES_MAX", 1_000)
    conn.execute(
        "insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name)"
        " select %s, 1, n, 1, 1, md5((n / 2)::text)::uuid, 'x' from generate_series(0, 6999) n",
        (T0 - 5 * DAY,),
    )
    build(database)
    made = rows_of(database, "trace_filters", "first_hash")
    assert [row["entry_count"] for row in made] == [1_000, 1_000, 1_000, 500]
    assert all(
        before["last_hash"] < after["first_hash"] for before, after in itertools.pairwise(made)
    )
    found = conn.execute(
        "select count(*), count(distinct n) from generate_series(0, 3499) n"
        " join crucible.trace_filters on crucible.trace_hash(md5(n::text)::uuid)"
        " between first_hash and last_hash"
        " and crucible.filter_has(filter, crucible.trace_hash(md5(n::text)::uuid))"
    ).fetchone()
    assert found == (3_500, 3_500)


def test_a_writer_may_make_hints(conn: Connection, database: str) -> None:
    put(conn, 1, 5)
    build(psycopg.conninfo.make_conninfo(database, options=f"-c role={WRITER}"))
    assert days_of(conn, 1) == [day(5)]


def test_a_round_is_due_once_an_hour_and_at_once_where_days_are_left(
    conn: Connection, database: str
) -> None:
    for days_ago in (9, 8):
        put(conn, 1, days_ago)
    time = [0.0]
    hints = building.TraceHints(logging.getLogger("test"), now=lambda: T0, clock=lambda: time[0])
    for _ in range(3):
        hints.keep(conn)
    assert horizon(database)["covered_until"] == DUE
    execute(database, "update crucible.trace_horizon set covered_until = null")
    time[0] = building.ROUND_S - 1
    hints.keep(conn)
    assert horizon(database)["covered_until"] is None
    time[0] = building.ROUND_S
    hints.keep(conn)
    assert horizon(database)["covered_until"] == day(8)
