"""Fill a database with a story, day by day, through the collector's own encoding, COPY and roll-ups.

A day is made while the one before it is copied, over two connections, and the one before that is
rolled up and put into the columnstore: two cores are busy throughout. Nothing here asks for
durability; the server is to be started with SETTINGS.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from benchmarks.reference import _window
from benchmarks.storage_rows import SCOPE_ID, Day, day_of, resource_id, series_ids
from benchmarks.storage_story import METRICS, Run, Story
from crucible_collector.enrich.dimensions import RESOURCE_COLUMNS, SCOPE_COLUMNS
from crucible_collector.enrich.partials import partials
from crucible_collector.enrich.series import SERIES_COLUMNS, series_row
from crucible_collector.rows import Dimension, ExperimentFact, Requests, RunFact, WindowRows
from crucible_collector.store import columnstore, merge
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.copy import copy, encode
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import SCHEMA, Partitions
from crucible_collector.store.rollups import continuous
from crucible_collector.store.rollups.families import FAMILIES
from crucible_collector.store.rollups.fold import Folding
from crucible_collector.store.servers import Capabilities
from crucible_collector.store.trace_hints.building import DELAY, TraceHints

LOG = logging.getLogger("benchmarks")
RELATIONS = ("spans", "points")
COPY_ROWS = 32_768
# A refresh takes a tenth of a second even where there is nothing to do, and there are eight a day.
DAYS_AT_ONCE = 5
# Without it a refresh takes ten buckets at a time: of minutes, a scan of the day for every ten.
AT_ONCE = '{"buckets_per_batch": 0}'
CLOCK_TICKS_NS = 1_000

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "2GB",
    "maintenance_work_mem": "256MB",
    "work_mem": "64MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timescaledb.max_background_workers": "0",
}


@dataclass(slots=True)
class Filled:
    """What lies in the database, and what it took, in seconds by step."""

    spans: int = 0
    points: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0) + time.monotonic() - began_s


def fill(dsn: str, story: Story, say: Callable[[str], None]) -> Filled:
    """Fill an empty database. RuntimeError where its roll-ups do not count what was written."""
    filled = Filled()
    with filled.timed("all"):
        capabilities = migrate(dsn, LOG)
        with closing(connect(dsn, MAINTENANCE)) as conn:
            partitions = Partitions(capabilities, LOG)
            for relation in RELATIONS:
                if not partitions.ensure(conn, relation, story.days):
                    raise RuntimeError(f"there is no room for every day in {relation}")
            after = _columnstore_after(conn) if capabilities.timescaledb else None
            _describe_runs(conn, story)
        finisher = _Finisher(dsn, capabilities, story, filled, after)
        with closing(finisher):
            _fill_days(dsn, story, finisher, filled, say)
        if after is not None:
            say("roll-ups to the columnstore")
            with closing(connect(dsn, MAINTENANCE)) as conn, filled.timed("columnstore"):
                _pack_rollups(conn)
        say("vacuum, analyze")
        with closing(connect(dsn, MAINTENANCE)) as conn, filled.timed("vacuum"):
            conn.execute("vacuum (analyze)")
            _expect(conn, "span_rollup_1d", "row_count", filled.spans)
            _expect(conn, "point_rollup_1d", "count + non_finite_count", filled.points)
            conn.execute("checkpoint")
    return filled


def _columnstore_after(conn: psycopg.Connection[Any]) -> dt.timedelta | None:
    """When days go to the columnstore, as the collector has it set; None: they do not."""
    columnstore.ensure(conn, LOG)
    return columnstore.policy(conn, "spans")


def _pack_rollups(conn: psycopg.Connection[Any]) -> None:
    """As their policies do once they are a week old."""
    jobs = conn.execute(
        "select job_id from timescaledb_information.jobs"
        " where proc_name in ('policy_compression', 'policy_columnstore')"
        " and hypertable_name = any (%s)",
        (list(columnstore.ROLLUP_LAYOUTS),),
    ).fetchall()
    for (job,) in jobs:
        conn.execute("call run_job(%s)", (job,))


def _fill_days(
    dsn: str, story: Story, finisher: _Finisher, filled: Filled, say: Callable[[str], None]
) -> None:
    is_portable = finisher.is_portable
    with (
        ThreadPoolExecutor(len(RELATIONS), "copy") as copiers,
        ThreadPoolExecutor(1, "finish") as finishing,
    ):
        under_way: list[Future[None]] = []
        finished: Future[None] | None = None
        for number, date in enumerate(story.days):
            with filled.timed("make"):
                day = day_of(story, date)
            for each in under_way:
                each.result()
            if finished is not None:
                finished.result()
            if number:
                finished = finishing.submit(finisher.finish, story.days[number - 1])
            under_way = [
                copiers.submit(_copy, dsn, relation, batch, filled, is_portable=is_portable)
                for relation, batch in _batches(day)
            ]
            filled.spans += day.spans.num_rows
            filled.points += day.points.num_rows
            if number % 10 == 9:
                say(f"{date}: {filled.spans:,} spans, {filled.points:,} points")
        for each in under_way:
            each.result()
        if finished is not None:
            finished.result()
        finisher.finish(story.days[-1])


def _batches(day: Day) -> list[tuple[str, pa.RecordBatch]]:
    return [("spans", day.spans), ("points", day.points)]


def _copy(
    dsn: str, relation: str, batch: pa.RecordBatch, filled: Filled, *, is_portable: bool
) -> None:
    """Rows in the order of time; what they add to portable roll-ups, a day at once."""
    if not batch.num_rows:
        return
    with filled.timed(f"copy {relation}"), closing(connect(dsn, MAINTENANCE)) as conn:
        for first in range(0, batch.num_rows, COPY_ROWS):
            part = batch.slice(first, COPY_ROWS)
            copy(conn, relation, part.schema.names, encode(part))
        if is_portable:
            if relation == "points":  # as windows have them
                batch = batch.sort_by([("series_id", "ascending"), ("time", "ascending")])
            for each in partials(relation, batch):
                copy(conn, each.relation, each.batch.schema.names, encode(each.batch))


class _Finisher:
    """What comes after a day's rows: roll-ups, hints of traces, then the columnstore."""

    def __init__(
        self,
        dsn: str,
        capabilities: Capabilities,
        story: Story,
        filled: Filled,
        after: dt.timedelta | None,
    ) -> None:
        self.is_portable = capabilities.rollups == "portable"
        self._conn = connect(dsn, MAINTENANCE)
        self._folding = Folding(Partitions(capabilities, LOG), LOG)
        self._story = story
        self._filled = filled
        self._after = after
        self._now = story.end
        self._hints = TraceHints(LOG, now=lambda: self._now)
        self._days: list[dt.date] = []

    def finish(self, date: dt.date) -> None:
        """Take a day on; days are rolled up some at a time, and the last of all when it comes."""
        self._days.append(date)
        if len(self._days) < DAYS_AT_ONCE and date != self._story.days[-1]:
            return
        with self._filled.timed("roll up"):
            if self.is_portable:
                self._folding.fold(self._conn)
            else:
                self._refresh(_midnight(self._days[0]), _midnight(date, 1))
        with self._filled.timed("hints"):
            self._now = min(_midnight(date, 1) + DELAY, self._story.end)
            while not self._hints.build(self._conn):
                pass
        if self._after is not None:
            with self._filled.timed("columnstore"):
                for each in self._days:
                    if _midnight(each, 1) <= self._story.end - self._after:
                        self._convert(each)
        self._days = []

    def close(self) -> None:
        self._conn.close()

    def _refresh(self, first: dt.datetime, last: dt.datetime) -> None:
        """As the policies do, which leave the newest to be computed when asked for."""
        for family in FAMILIES:
            if family.source not in RELATIONS:
                continue
            for level in family.levels:
                end = min(last, self._story.end - continuous._REFRESHES[level].end)
                if end > first:
                    self._conn.execute(
                        "call refresh_continuous_aggregate("
                        "%s::regclass, %s, %s, options => %s::jsonb)",
                        (f"{SCHEMA}.{family.view(level)}", first, end, AT_ONCE),
                    )

    def _convert(self, date: dt.date) -> None:
        for relation in RELATIONS:
            chunks = self._conn.execute(
                "select show_chunks(%s::regclass, newer_than => %s, older_than => %s)::text",
                (f"{SCHEMA}.{relation}", _midnight(date), _midnight(date, 1)),
            ).fetchall()
            for (chunk,) in chunks:
                self._conn.execute("call convert_to_columnstore(%s::regclass)", (chunk,))


def _midnight(date: dt.date, later: int = 0) -> dt.datetime:
    return dt.datetime.combine(date + dt.timedelta(days=later), dt.time(), dt.UTC)


def _expect(conn: psycopg.Connection[Any], view: str, summed: str, count: int) -> None:
    row = conn.execute(f"select sum({summed})::bigint from {SCHEMA}.{view}".encode()).fetchone()
    if row != (count,):
        raise RuntimeError(f"{view} counts {row} instead of {count}")


def _describe_runs(conn: psycopg.Connection[Any], story: Story) -> None:
    """Experiments, runs, resources and series, an experiment a transaction."""
    by_experiment: dict[str, list[Run]] = {}
    for run in story.runs:
        by_experiment.setdefault(run.experiment_id, []).append(run)
    for runs in by_experiment.values():
        told = _told(runs)
        with conn.transaction():
            merge.dimensions(conn, told, careful=False)
            merge.facts(conn, told, careful=False)


def _told(runs: list[Run]) -> WindowRows:
    """What windows say about the runs of one experiment."""
    first_ns = min(run.start_us for run in runs) * CLOCK_TICKS_NS
    last_ns = max(run.end_us for run in runs) * CLOCK_TICKS_NS
    series = [
        (int(id_), _series(run, int(id_), metric))
        for run in runs
        if run.kind == "training"
        for id_, metric in zip(series_ids(run), METRICS, strict=True)
    ]
    scope = (SCOPE_ID, "crucible_telemetry", "0.1.0", None, None, 0)
    experiment_id = runs[0].experiment_id
    experiment = ExperimentFact(experiment_id, first_ns, last_ns, name=f"Sweep {experiment_id}")
    one = np.zeros(1, np.int64)
    return WindowRows(
        window=_window([b""], first_ns),
        requests=Requests(
            one.astype(np.uint8),
            np.zeros((1, 16), np.uint8),
            one + first_ns,
            one,
            one.astype(np.uint8),
        ),
        tables=[],
        resources=Dimension(
            "resources", RESOURCE_COLUMNS, {resource_id(run): _resource(run) for run in runs}
        ),
        scopes=Dimension("scopes", SCOPE_COLUMNS, {SCOPE_ID: scope}),
        series=Dimension("series", SERIES_COLUMNS, dict(series)),
        runs={run.run_id: _fact(run) for run in runs},
        experiments={experiment_id: experiment},
        refused={},
        filtered={},
        unknown={},
        foreign={},
        set_aside=[],
        damaged={},
        series_seen={},
    )


def _resource(run: Run) -> tuple[Any, ...]:
    host = f"gpu-{run.number % 16:02d}"
    attributes = f'{{"service.name":"trainer","host.name":"{host}","process.pid":{run.number}}}'
    return (resource_id(run), "trainer", None, None, host, attributes, None, 0)


def _series(run: Run, id_: int, metric: str) -> tuple[Any, ...]:
    return series_row(
        series_id=id_,
        source="event",
        metric=metric,
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        event_name="crucible_train.batch.stop",
        kind="measurement",
        number_kind="double",
        unit="1",
        resource_id=resource_id(run),
    )


def _fact(run: Run) -> RunFact:
    first_ns, last_ns = run.start_us * CLOCK_TICKS_NS, run.end_us * CLOCK_TICKS_NS
    is_training = run.kind == "training"
    return RunFact(
        run.run_id,
        first_ns,
        last_ns,
        received_ns=last_ns,
        experiment_id=run.experiment_id,
        condition=run.condition,
        kind=run.kind,
        status="completed",
        status_at_ns=last_ns,
        model_name="mlp" if is_training else None,
        dataset_name="digits",
        service_name="trainer",
        resource_id=resource_id(run),
        started_ns=first_ns,
        ended_ns=last_ns,
        last_step=run.units - 1 if is_training else None,
        last_epoch=run.epochs - 1 if is_training else None,
    )
