"""Where the rows lie: room ahead of time, TimescaleDB's jobs, and how large parts are."""

from __future__ import annotations

from collections.abc import Iterator

from crucible_collector.findings import Finding
from crucible_collector.store.partitions import RELATIONS, Connection
from crucible_collector.store.rollups import continuous
from crucible_collector.store.servers import relations_are_hypertables

DEFAULT_ROWS_MAX = 100_000  # counted no further
MIB = 1024 * 1024

PARTITIONS = """
-- Which relations lack a partition for today or tomorrow? Partitions are named after their day.
select relation || ' of ' || to_char(day, 'YYYY-MM-DD')
from unnest(%(relations)s::text[]) relation,
    (select (now() at time zone 'UTC')::date + ahead as day from generate_series(0, 1) ahead) days
where to_regclass(format('crucible.%%I', relation || to_char(day, '_YYYYMMDD'))) is null
order by 1
"""

CHUNKS = """
-- Which relations lack a chunk for today or tomorrow?
select relation || ' of ' || to_char(at, 'YYYY-MM-DD')
from unnest(%(relations)s::text[]) relation,
    (select now() + ahead * interval '1 day' as at from generate_series(0, 1) ahead) times
where not exists (
    select from timescaledb_information.chunks
    where hypertable_schema = 'crucible' and hypertable_name = relation
      and range_start <= at and range_end > at)
order by 1
"""

IN_DEFAULT = """
select count(*) from (select from crucible.{relation}_default limit %(most)s) found
"""

JOBS = """
-- Which jobs do the collector's relations have, and how did they last end? One row a job.
select jobs.job_id, jobs.application_name, jobs.scheduled, job_stats.last_run_status,
    job_stats.total_failures,
    -- While it runs, its next start is minus infinity, which PostgreSQL before 17 refuses to subtract.
    case when isfinite(job_stats.next_start) then extract(epoch from now() - job_stats.next_start)::float8 end,
    (select err_message from timescaledb_information.job_errors
     where job_errors.job_id = jobs.job_id order by start_time desc limit 1)
from timescaledb_information.jobs
left join timescaledb_information.job_stats using (job_id)
where jobs.hypertable_name is not null
order by jobs.job_id
"""

PARTITION_SIZES = """
-- How large is the largest part of each relation, with and without its indexes?
select distinct on (inhparent) inhparent::regclass::text, inhrelid::regclass::text, count(*) over whole,
    pg_total_relation_size(inhrelid), pg_indexes_size(inhrelid)
from pg_inherits
where inhparent = any (%(relations)s::regclass[])
window whole as (partition by inhparent)
order by inhparent, pg_total_relation_size(inhrelid) desc
"""

CHUNK_SIZES = """
-- The same of chunks.
select distinct on (hypertable_name) 'crucible.' || hypertable_name, format('%%I', chunk_name),
    count(*) over whole, pg_total_relation_size(chunk), pg_indexes_size(chunk)
from (
    select *, format('%%I.%%I', chunk_schema, chunk_name)::regclass as chunk
    from timescaledb_information.chunks
    where hypertable_schema = 'crucible' and 'crucible.' || hypertable_name = any (%(relations)s)
) chunks
window whole as (partition by hypertable_name)
order by hypertable_name, pg_total_relation_size(chunk) desc
"""

MEMORY = """
-- How much does the server keep in memory, and how large is this database?
select pg_size_bytes(current_setting('shared_buffers')), pg_database_size(current_database())
"""


def room(conn: Connection) -> Iterator[Finding]:
    """Parts are made before their day, and the default partition holds next to nothing."""
    if relations_are_hypertables(conn) and continuous.licence(conn) != continuous.COMMUNITY:
        yield Finding("room", "ok", "TimescaleDB's Apache edition makes a chunk for its first row")
        return
    question = CHUNKS if relations_are_hypertables(conn) else PARTITIONS
    rows = conn.execute(question, {"relations": list(RELATIONS)}).fetchall()
    missing = [name for (name,) in rows]
    if missing:
        yield Finding(
            "room",
            "warning",
            f"nothing made ahead for {', '.join(missing)}",
            "start a collector that may (crucible_owner), or run crucible-collector migrate daily",
            {"missing": missing},
        )
    else:
        yield Finding("room", "ok", "today and tomorrow have room in every relation")
    if not relations_are_hypertables(conn):
        yield from _defaults(conn)


def _defaults(conn: Connection) -> Iterator[Finding]:
    for relation in RELATIONS:
        row = conn.execute(
            IN_DEFAULT.format(relation=relation).encode(), {"most": DEFAULT_ROWS_MAX}
        ).fetchone()
        count = row[0] if row else 0
        if count:
            yield Finding(
                "room",
                "warning",
                f"{'at least ' if count == DEFAULT_ROWS_MAX else ''}{count} rows of {relation} lie in its"
                " default partition",
                "a running collector moves them within ten minutes, if it may (crucible_owner) and"
                " they are fewer than 50,000 a day",
                {"relation": relation, "row_count": count},
            )


def jobs(conn: Connection) -> Iterator[Finding]:
    """Policies that refresh, compress and drop run, and end well."""
    if not relations_are_hypertables(conn):
        yield Finding("jobs", "ok", "none: on plain PostgreSQL the collectors do the upkeep")
        return
    found = conn.execute(JOBS).fetchall()
    is_well = True
    for finding in _workers(conn) if found else ():
        is_well = False
        yield finding
    for job_id, name, scheduled, status, failures, overdue_s, message in found:
        facts = {"job_id": job_id, "failure_count": failures, "error": message}
        if status == "Failed":
            says = f"{name} failed: {message or 'see timescaledb_information.job_errors'}"
            remedy = f"once the reason is gone: call run_job({job_id})"
            yield Finding("jobs", "wrong", says, remedy, facts)
        elif not scheduled:
            remedy = f"select alter_job({job_id}, scheduled => true)"
            yield Finding("jobs", "warning", f"{name} is switched off", remedy, facts)
        elif overdue_s is not None and overdue_s > 3600:
            says = f"{name} should have run {overdue_s / 3600:.0f} hours ago"
            remedy = "see timescaledb.max_background_workers and the database's log"
            yield Finding("jobs", "warning", says, remedy, facts)
        else:
            continue
        is_well = False
    if is_well:
        yield Finding(
            "jobs", "ok", f"{len(found)} jobs, none failed last", facts={"count": len(found)}
        )


def _workers(conn: Connection) -> Iterator[Finding]:
    """Jobs get processes to run in. PostgreSQL's own default, 8, is half of what TimescaleDB may ask for."""
    row = conn.execute(
        "select current_setting('timescaledb.max_background_workers', true)::int,"
        " current_setting('max_worker_processes')::int"
    ).fetchone()
    workers, processes = row or (None, 0)
    if workers == 0:
        says = "jobs never run: timescaledb.max_background_workers is 0"
        remedy = "set it to 16 (and max_worker_processes to 27), and restart the server"
        yield Finding("jobs", "wrong", says, remedy)
    elif workers is not None and processes <= workers:
        says = (
            f"jobs that are due together fail to start: max_worker_processes is {processes}, no more"
            f" than timescaledb.max_background_workers, {workers}"
        )
        remedy = f"set max_worker_processes to {workers + 11} or more, and restart the server"
        yield Finding("jobs", "warning", says, remedy)


def sizes(conn: Connection) -> Iterator[Finding]:
    """The indexes of the day that is written to fit the server's memory."""
    question = CHUNK_SIZES if relations_are_hypertables(conn) else PARTITION_SIZES
    relations = [f"crucible.{relation}" for relation in RELATIONS]
    found = conn.execute(question, {"relations": relations}).fetchall()
    row = conn.execute(MEMORY).fetchone()
    buffers, database = row or (0, 0)
    index_bytes = sum(each[4] for each in found)
    facts = {
        "database_bytes": database,
        "shared_buffers_bytes": buffers,
        "largest": [
            {
                "relation": name,
                "part": part,
                "part_count": count,
                "bytes": whole,
                "index_bytes": own,
            }
            for name, part, count, whole, own in found
        ],
    }
    says = (
        f"the database holds {database / MIB:,.0f} MiB in {sum(each[2] for each in found)} parts; indexes"
        f" of the largest days: {index_bytes / MIB:,.0f} MiB, shared_buffers: {buffers / MIB:,.0f}"
    )
    if index_bytes <= buffers:
        yield Finding("sizes", "ok", says, facts=facts)
    elif relations_are_hypertables(conn):
        remedy = (
            "raise shared_buffers to a quarter of the machine's memory, or shorten chunks:"
            " select set_chunk_time_interval('crucible.spans', interval '6 hours')"
        )
        yield Finding("sizes", "warning", says, remedy, facts)
    else:
        remedy = "raise shared_buffers to a quarter of the machine's memory"
        yield Finding("sizes", "warning", says, remedy, facts)
