"""One trace of thirty days is looked for in its day and in those since the horizon, and nowhere else."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from crucible_collector.store.connect import MAINTENANCE, READ, connect, reader_pool
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Connection, Partitions
from crucible_collector.store.pieces import Pieces, cut
from crucible_collector.store.read import Reader, compose
from crucible_collector.store.servers import relations_are_hypertables
from crucible_collector.store.trace_hints.asking import periods
from databases import TestServer
from hinted import DAY, DUE, build
from stored import T0

DAYS, TRACES_A_DAY = 30, 500
TODAY = T0.date()
LOG = logging.getLogger("test")
FILL = """
insert into crucible.{relation} (time, {columns} span_id, resource_id, scope_id, trace_id, correlation_id)
select %(end)s::timestamptz - n * interval '1 day' / %(a_day)s, {values} n, 1, 1,
    md5(n::text)::uuid, 'order-' || n
from generate_series(0, %(days)s * %(a_day)s - 1) n
"""
CHUNKS = """
select chunk_name::text, (range_start at time zone 'UTC')::date from timescaledb_information.chunks
"""
PARTITIONS = r"""
select relname::text, to_date(right(relname, 8), 'YYYYMMDD')
from pg_class where relispartition and relname ~ '^(spans|logs)_\d{8}$'
"""
NOTHING = dict.fromkeys(
    (
        "run",
        "experiment",
        "event",
        "status",
        "reason",
        "reasons",
        "severity",
        "from_time",
        "to_time",
        "last_time",
        "last_trace",
        "last_span",
    )
) | {"last_rest": 0, "skip": 0, "limit": 101}
QUESTIONS = ["trace", "events_of_trace", "logs_of_trace", "correlation_events", "correlation_logs"]


@pytest.fixture(scope="module")
def store(module_server: TestServer) -> Iterator[str]:
    with module_server.database() as dsn:
        room = Partitions(migrate(dsn, LOG), LOG)
        with closing(connect(dsn, MAINTENANCE)) as conn:
            for relation, columns, values in (
                ("spans", "duration_ns, name,", "1, 'x',"),
                ("logs", "", ""),
            ):
                assert room.ensure(conn, relation, [TODAY - day * DAY for day in range(DAYS + 1)])
                text = FILL.format(relation=relation, columns=columns, values=values)
                facts = {"end": T0, "days": DAYS, "a_day": TRACES_A_DAY}
                conn.execute(text.encode(), facts)
        build(dsn)
        yield dsn


def looked_into(dsn: str, under: dict[str, Any]) -> Pieces:
    with reader_pool(dsn) as pool:
        return periods(Reader(pool), **under, start=None, end=None)


def about(question: str, number: int) -> dict[str, Any]:
    """What the question asks, of the numbered trace or its correlation id."""
    if question.startswith("correlation"):
        return {"trace": None, "correlation": f"order-{number}", "correlation_trace": None}
    trace = uuid.UUID(hashlib.md5(str(number).encode()).hexdigest())
    return {"trace": trace, "correlation": None, "correlation_trace": None}


def days_planned(conn: Connection, question: str, asked: dict[str, Any]) -> set[dt.date]:
    """The days of the parts that the plan names, the default partition apart."""
    text, bound = compose(question, asked)
    row = conn.execute(f"explain (format json) {text}".encode(), bound).fetchone()
    assert row is not None
    days: dict[str, dt.date] = dict(
        conn.execute(CHUNKS if relations_are_hypertables(conn) else PARTITIONS).fetchall()
    )
    return {days[name] for name in relations(row[0][0]["Plan"]) if name in days}


def relations(plan: dict[str, Any]) -> set[str]:
    own = {plan["Relation Name"]} if "Relation Name" in plan else set()
    return own.union(*map(relations, plan.get("Plans", [])))


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_trace_is_looked_for_in_its_day_and_since_the_horizon(store: str, question: str) -> None:
    recent = {DUE + day * DAY for day in range((TODAY - DUE).days + 1)}
    in_vain = 0
    with closing(connect(store, READ)) as conn:
        for number in range(TRACES_A_DAY // 2, DAYS * TRACES_A_DAY, 1_009):
            own = (T0 - number * DAY / TRACES_A_DAY).date()
            under = about(question, number)
            asked = NOTHING | under | {"periods": looked_into(store, under)}
            days = days_planned(conn, question, asked)
            assert own in days
            in_vain += len(days - recent - {own})
    assert in_vain <= 1


def test_without_hints_every_day_would_be_planned_for(store: str) -> None:
    """Which tells that the measure above sees them."""
    under = about("trace", 7)
    with closing(connect(store, READ)) as conn:
        asked = NOTHING | under | {"periods": cut(None, None, ())}
        assert len(days_planned(conn, "trace", asked)) > DAYS - 2
