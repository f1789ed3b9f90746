"""Old chunks lie in the columnstore: a question leaves out those that it does not ask for there, too.

Four weeks of rows that end today, so that TimescaleDB's own policy sends all but the newest chunks
there, merged into weeks.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from crucible_collector.store.connect import MAINTENANCE, READ, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection
from databases import TestServer
from planned import Planned

LOG = logging.getLogger("tests.columnstore")
DAYS, A_DAY, RUNS = 28, 1_500, 10
BATCH_ROWS = 1_000  # the most that the columnstore keeps and unpacks together

FILL = """
insert into crucible.spans (time, duration_ns, span_id, resource_id, scope_id, trace_id, name,
    event_name, status_code, run_id, correlation_id, attributes)
select %(start)s::timestamptz + n * %(every)s::interval, 1, n, 1, 1, md5((n / 8)::text)::uuid, 'x',
    'crucible_train.batch.stop', case when n %% 500 = 0 then 2 else 0 end, 'run-' || n %% %(runs)s,
    case when n %% 10 = 0 then 'correlation-' || n / 1000 end, jsonb_build_object('n', n)
from generate_series(0, %(count)s - 1) n
"""
FILL_POINTS = """
insert into crucible.points (series_id, time, step, value)
select n %% %(runs)s, %(start)s::timestamptz + n * %(every)s::interval, n, n
from generate_series(0, %(count)s - 1) n
"""
POLICIES = """
select job_id from timescaledb_information.jobs
where proc_name in ('policy_compression', 'policy_columnstore') and hypertable_schema = 'crucible'
order by 1
"""
CHUNKS = """
select chunk_name, range_start, range_end, is_compressed
from timescaledb_information.chunks
where hypertable_schema = 'crucible' and hypertable_name in ('spans', 'points')
"""
TRACE = "/traces/c4ca4238a0b923820dcc509a6f75849b"  # md5('1'): spans 8 to 15
SERIES = "/series/0000000000000005/points"


@dataclass(frozen=True)
class Chunk:
    start: dt.datetime
    end: dt.datetime
    in_columnstore: bool


@dataclass
class Store:
    """A filled database; `begin` is the midnight with which its rows begin."""

    conn: Connection
    begin: dt.datetime
    chunks: dict[str, Chunk]

    def at(self, day: float) -> dt.datetime:
        return self.begin + day * dt.timedelta(days=1)

    def read(self, path: str, **parameters: object) -> dict[Chunk, int]:
        """The rows that an answer unpacks, or reads, of each chunk that its plans have a scan for."""
        planned = Planned(self.conn)
        planned.ask(path, **parameters)
        read = planned.rows_read(set(self.chunks))
        return {self.chunks[name]: count for name, count in read.items()}


@pytest.fixture(scope="module")
def store(timescale_server: TestServer) -> Iterator[Store]:
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = midnight - (DAYS - 1) * dt.timedelta(days=1)
    facts = {
        "start": begin,
        "every": dt.timedelta(days=1) / A_DAY,
        "count": DAYS * A_DAY,
        "runs": RUNS,
    }
    with timescale_server.database() as dsn:
        migrate(dsn, LOG)
        with closing(connect(dsn, MAINTENANCE)) as conn:
            conn.execute(FILL, facts)
            conn.execute(FILL_POINTS, facts)
            for job in conn.execute(POLICIES).fetchall():
                conn.execute("call run_job(%s)", job)
            conn.execute("vacuum analyze")
            found = {name: Chunk(*rest) for name, *rest in conn.execute(CHUNKS).fetchall()}
        with closing(connect(dsn, READ)) as reading:
            yield Store(reading, begin, found)


def test_all_but_the_newest_chunks_are_in_the_columnstore(store: Store) -> None:
    outside = [chunk for chunk in store.chunks.values() if not chunk.in_columnstore]
    inside = [chunk for chunk in store.chunks.values() if chunk.in_columnstore]
    assert len(inside) >= 6
    assert min(chunk.end for chunk in outside) > max(chunk.end for chunk in inside)


BOUNDED: list[tuple[str, dict[str, object], tuple[float, float]]] = [
    ("/events", {"run": "run-3"}, (10, 11)),
    ("/events", {"run": "run-0", "status": "error"}, (3, 9)),
    ("/events", {}, (17.2, 17.3)),
    ("/events", {"trace": TRACE[8:]}, (0, 0.1)),
    (SERIES, {}, (10, 11)),
    (TRACE, {}, (0, 0.1)),
    ("/correlations/correlation-7", {}, (4, 6)),
]


@pytest.mark.parametrize(
    ("path", "parameters", "period"),
    BOUNDED,
    ids=[f"{path}-{'-'.join(parameters)}" for path, parameters, _ in BOUNDED],
)
def test_a_bound_in_time_leaves_other_chunks_out_of_the_plan(
    store: Store, path: str, parameters: dict[str, object], period: tuple[float, float]
) -> None:
    begin, end = map(store.at, period)
    read = store.read(path, from_=begin.isoformat(), to=end.isoformat(), **parameters)
    assert read
    assert all(chunk.start < end and chunk.end > begin for chunk in read)


def test_without_a_bound_every_chunk_is_planned(store: Store) -> None:
    """Else the test above would hold whatever it was asked."""
    assert len(store.read("/events", run="run-3")) == len(store.chunks) / 2


@pytest.mark.parametrize(("limit", "week_count"), [(50, 1), (900, 2)])
def test_the_newest_events_of_a_run_walk_chunks_newest_first_and_stop(
    store: Store, limit: int, week_count: int
) -> None:
    """Also behind the chunks that are not in the columnstore yet."""
    last = max(chunk.end for chunk in store.chunks.values() if chunk.in_columnstore)
    read = store.read("/events", run="run-3", limit=limit, to=last.isoformat())
    opened = [chunk.start for chunk, rows in read.items() if rows]
    assert sorted(opened) == sorted(chunk.start for chunk in read)[-week_count:]


def test_a_series_in_a_period_unpacks_the_batches_of_that_period(store: Store) -> None:
    begin, end = store.at(10).isoformat(), store.at(11).isoformat()
    (count,) = store.read(SERIES, from_=begin, to=end).values()
    assert count <= 2 * BATCH_ROWS
