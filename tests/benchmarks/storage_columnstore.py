"""What the columnstore saves, as the store has it set, and under other settings on one day's rows.

A setting is tried on a copy of a day's chunk, in a schema of its own that goes afterwards: how many
bytes are left, and how long the collector's own statements take when they are about the copy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from benchmarks.storage_ask import Asker, Statement
from benchmarks.storage_questions import QUESTIONS
from benchmarks.storage_story import Story
from crucible_collector.store import columnstore
from crucible_collector.store.connect import MAINTENANCE, READ, connect

SCHEMA = "bench_columnstore"
REPEATS = 10
# Questions that are answered from raw rows, by the relation they read.
RAW_QUESTIONS = {
    "points": ("a run's curve at 1,000 points",),
    "spans": (
        "newest 100 events of a run",
        "one trace, about when",
        "one correlation id, about when",
    ),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """How a relation lies in the columnstore; `sparse` are indexes of its batches."""

    relation: str
    segmentby: str
    orderby: str
    sparse: str = ""

    def __str__(self) -> str:
        text = f"{self.relation} by {self.segmentby or 'nothing'}, in order of {self.orderby}"
        return f"{text}, with {self.sparse}" if self.sparse else text


_OWN = {
    relation: Setting(relation, layout.segment_by, layout.order_by, layout.sparse)
    for relation, layout in columnstore.LAYOUTS.items()
}
SETTINGS = (
    _OWN["spans"],
    Setting("spans", "", "time desc"),
    Setting("spans", "", "trace_id, time desc"),
    Setting("spans", "run_id", "time desc"),
    Setting("spans", "run_id", "trace_id, time desc"),
    Setting("spans", "run_id, event_name", "time desc"),
    Setting("spans", "event_name", "time desc"),
    _OWN["points"],
    Setting("points", "", "series_id, time"),
    Setting("points", "series_id", "time desc"),
    Setting("points", "series_id", "step, time"),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes of a relation's converted chunks, before and after."""

    relation: str
    chunks: int
    converted: int
    before_table_bytes: int
    before_index_bytes: int
    after_table_bytes: int
    after_index_bytes: int

    @property
    def before_bytes(self) -> int:
        return self.before_table_bytes + self.before_index_bytes

    @property
    def after_bytes(self) -> int:
        return self.after_table_bytes + self.after_index_bytes

    @property
    def ratio(self) -> float:
        return self.before_bytes / self.after_bytes if self.after_bytes else float("nan")

    @property
    def table_ratio(self) -> float:
        """Without indexes on either side."""
        return (
            self.before_table_bytes / self.after_table_bytes
            if self.after_table_bytes
            else float("nan")
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What a setting did to one day's rows; medians in milliseconds by question."""

    setting: str
    rows: int
    stored: Stored
    convert_s: float
    ms: dict[str, float]


def stored(conn: psycopg.Connection[Any], schema: str, relation: str) -> Stored:
    """What TimescaleDB says about the chunks that it converted; overflow counts with the table."""
    row = conn.execute(
        "select total_chunks, number_compressed_chunks,"
        " before_compression_table_bytes + before_compression_toast_bytes,"
        " before_compression_index_bytes,"
        " after_compression_table_bytes + after_compression_toast_bytes,"
        " after_compression_index_bytes"
        " from hypertable_columnstore_stats(format('%%I.%%I', %s::text, %s::text)::regclass)",
        (schema, relation),
    ).fetchone()
    return Stored(relation, *(int(value or 0) for value in row or (0,) * 6))


def setting_of(text: str) -> Setting:
    """Parse `spans: run_id; time desc; bloom(trace_id)`; ValueError where it is not like that."""
    relation, _, rest = text.partition(":")
    segmentby, _, more = rest.partition(";")
    orderby, _, sparse = map(str.strip, more.partition(";"))
    if relation not in RAW_QUESTIONS or not orderby:
        raise ValueError(f"{text!r}: expected relation: segment columns; order columns; indexes")
    return Setting(relation, segmentby.strip(), orderby, sparse)


def try_settings(asker: Asker, story: Story, settings: Sequence[Setting]) -> Iterator[Tried]:
    """Try each on a copy of the busiest day; the first of each relation is the rows as they came."""
    with closing(connect(asker.dsn, MAINTENANCE)) as conn:
        for relation, names in RAW_QUESTIONS.items():
            tried = [each for each in settings if each.relation == relation]
            if tried:
                # Correlation ids are of pipelines, points of trainings.
                busy = story.busiest("pipeline" if relation == "spans" else "training")
                statements = {name: _statements(asker, busy, relation, name) for name in names}
                for setting in (None, *tried):
                    yield _try(asker.dsn, conn, busy.only, relation, setting, statements)


def _statements(asker: Asker, busy: Story, relation: str, name: str) -> list[Statement]:
    """What the API has executed on raw rows for a question about that day's runs."""
    (question,) = (each for each in QUESTIONS if each.name == name)
    executed = (asker.ask(request).statements for request in question.requests(busy, REPEATS))
    return [each for some in executed for each in some if f"crucible.{relation}" in each.text]


def _try(
    dsn: str,
    conn: psycopg.Connection[Any],
    day: date | None,
    relation: str,
    setting: Setting | None,
    statements: dict[str, list[Statement]],
) -> Tried:
    with _copied(conn, relation, day) as count:
        began_s = time.monotonic()
        if setting is not None:
            _convert(conn, setting)
        convert_s = time.monotonic() - began_s
        conn.execute(f"vacuum (analyze) {SCHEMA}.{relation}".encode())
        found = stored(conn, SCHEMA, relation)
        ms = {name: _median_ms(dsn, relation, some) for name, some in statements.items()}
    name = f"{relation} as rows" if setting is None else str(setting)
    return Tried(name, count, found, convert_s if setting else 0.0, ms)


@contextmanager
def _copied(conn: psycopg.Connection[Any], relation: str, day: date | None) -> Iterator[int]:
    """A hypertable of one chunk with the day's rows, in the order of time; yield how many."""
    source, copy = f"crucible.{relation}", f"{SCHEMA}.{relation}"
    conn.execute(f"drop schema if exists {SCHEMA} cascade".encode())
    conn.execute(f"create schema {SCHEMA}".encode())
    try:
        conn.execute(f"create table {copy} (like {source} including all)".encode())
        conn.execute(
            "select create_hypertable(%s::regclass, by_range('time', interval '1 day'),"
            " create_default_indexes => false)",
            (copy,),
        )
        inserted = conn.execute(
            f"insert into {copy} select * from {source}"
            " where time >= %(day)s::date and time < %(day)s::date + 1 order by time".encode(),
            {"day": day},
        )
        yield inserted.rowcount
    finally:
        conn.execute(f"drop schema {SCHEMA} cascade".encode())


def _convert(conn: psycopg.Connection[Any], setting: Setting) -> None:
    options = {
        "timescaledb.segmentby": setting.segmentby,
        "timescaledb.orderby": setting.orderby,
        "timescaledb.sparse_index": setting.sparse,
    }
    given = sql.SQL(", ").join(
        sql.SQL(f"{name} = {{}}").format(sql.Literal(value))
        for name, value in options.items()
        if value or name == "timescaledb.segmentby"
    )
    conn.execute(
        sql.SQL("alter table {} set (timescaledb.enable_columnstore, {})").format(
            sql.Identifier(SCHEMA, setting.relation), given
        )
    )
    chunks = conn.execute(
        "select show_chunks(%s::regclass)::text", (f"{SCHEMA}.{setting.relation}",)
    ).fetchall()
    for (chunk,) in chunks:
        conn.execute("call convert_to_columnstore(%s::regclass)", (chunk,))


def _median_ms(dsn: str, relation: str, statements: Sequence[Statement]) -> float:
    """Of the statements about the copy, each executed twice and timed the second time."""
    elapsed_ms = []
    with closing(connect(dsn, READ)) as conn:
        for each in statements:
            text = each.text.replace(f"crucible.{relation}", f"{SCHEMA}.{relation}").encode()
            conn.execute(text, each.parameters).fetchall()
            began_s = time.perf_counter()
            conn.execute(text, each.parameters).fetchall()
            elapsed_ms.append((time.perf_counter() - began_s) * 1e3)
    return float(np.median(elapsed_ms))
