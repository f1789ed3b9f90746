"""Is what was chosen about keeping rows being done? What is kept for how long, and what a day of it takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from crucible_collector.errors import DatabaseError
from crucible_collector.findings import Finding
from crucible_collector.retention import spelled
from crucible_collector.store import rollups
from crucible_collector.store.partitions import SCHEMA, Connection
from crucible_collector.store.retention import chosen, taken_late
from crucible_collector.store.retention.targets import Target, targets
from crucible_collector.store.rollups import continuous
from crucible_collector.store.servers import (
    Capabilities,
    relation_kind,
    relations_are_hypertables,
    timescaledb_version,
)

# Parts go once an hour, as a whole; a day more is a sign that nobody drops.
PATIENCE = dt.timedelta(days=1)
MIB = 1024 * 1024

PARTITIONS = r"""
-- When do the oldest part's rows begin and end, and how large are the parts of the last 30 days? Bounds only.
select min(since), min(until), now(),
    (sum(bytes) filter (where until between now() - interval '30 days' and now()))::float8,
    count(*) filter (where until between now() - interval '30 days' and now())
        * interval '1 day'
from (
    select (regexp_match(bounds, 'FROM \(''([^'']+)''\)'))[1]::timestamptz as since,
        (regexp_match(bounds, 'TO \(''([^'']+)''\)'))[1]::timestamptz as until,
        pg_total_relation_size(oid) as bytes
    from (
        select pg_class.oid, pg_get_expr(relpartbound, pg_class.oid) as bounds
        from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = %(table)s::regclass and pg_relation_size(pg_class.oid) > 0
    ) part
) parts
"""

CHUNKS = """
-- The same of chunks, what lies in the columnstore included.
select min(range_start), min(range_end), now(),
    (sum(total_bytes) filter (where range_end between now() - interval '30 days' and now()))::float8,
    sum(range_end - range_start)
        filter (where range_end between now() - interval '30 days' and now())
from timescaledb_information.chunks
join {schema}.chunks_detailed_size(%(table)s::regclass) sizes using (chunk_schema, chunk_name)
where format('%%I.%%I', hypertable_schema, hypertable_name)::regclass = %(table)s::regclass
"""

ROWS = """
-- The same of a table without parts. Leans on its index by time.
select min(time), min(time), now(), pg_total_relation_size(%(table)s::regclass)::float8,
    case when min(time) is not null then greatest(now() - min(time), interval '1 day') end
from {table}
"""

MATERIALIZED = """
-- In which hypertable does a continuous aggregate keep its rows? TimescaleDB's catalogue.
select format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name)
from timescaledb_information.continuous_aggregates
where view_schema = 'crucible' and view_name = %(view)s
"""

POLICIES = """
-- What do retention policies say, and when did each last succeed? One row a policy.
select jobs.hypertable_name::text, (jobs.config ->> 'drop_after')::interval,
    nullif(job_stats.last_successful_finish, '-infinity')
from timescaledb_information.jobs
left join timescaledb_information.job_stats using (job_id)
where jobs.proc_name = 'policy_retention' and jobs.hypertable_schema = 'crucible'
  and jobs.config ? 'drop_after'
"""

RUNS = """
select relation, last_run_at from crucible.retention
"""


@dataclass(frozen=True, slots=True)
class _Held:
    """What there is of a relation: its oldest part from `since` until `until`; None: no rows."""

    since: dt.datetime | None
    until: dt.datetime | None
    now: dt.datetime
    bytes_a_day: float | None


def retention(conn: Connection, past: dt.timedelta | None = None) -> Iterator[Finding]:
    """What is kept for how long, whether older rows go, and which are taken too late to stay.

    `past` is how old a record may be that the collector takes.
    """
    if relation_kind(conn, "retention") is None:
        return  # made by an earlier version; the check of the schema says so
    try:
        choice = chosen.read(conn)
    except DatabaseError as error:
        yield Finding("retention", "wrong", str(error), "start a collector with --retention")
        return
    found = targets(conn, _capabilities(conn))
    held = {target: _held(conn, target) for target in found}
    policies = {}
    if any(target.means == "policy" for target in found):
        policies = {name: (kept, last) for name, kept, last in conn.execute(POLICIES).fetchall()}
    runs: dict[str, dt.datetime | None] = dict(conn.execute(RUNS).fetchall())
    is_well = True
    for target in found:
        kept = choice.kept.get(target.relation)
        in_force, runs[target.relation] = policies.get(
            target.table, (None, runs.get(target.relation))
        )
        fault = _fault(target, kept, held[target])
        if target.means == "policy" and target.relation in choice.relations and in_force != kept:
            fault = f"{target.relation} is to be kept {spelled(kept)}, its policy says"
            fault += f" {spelled(in_force)}"
        if fault:
            is_well = False
            remedy = (
                "run a collector, or crucible-collector migrate, as a member of crucible_owner; its"
                " log says what is in the way"
            )
            yield Finding("retention", "warning", fault, remedy)
    if past is not None and (late := taken_late(choice.kept, past)):
        is_well = False
        yield Finding("retention", "warning", late, "keep them longer, or lower --past-days")
    if is_well:
        yield _overview(choice, held, runs)


def _capabilities(conn: Connection) -> Capabilities:
    version = timescaledb_version(conn) if relations_are_hypertables(conn) else None
    return Capabilities("", version, rollups.kind_of(conn) or "portable")


def _held(conn: Connection, target: Target) -> _Held:
    table = f"{SCHEMA}.{target.table}"
    question: sql.SQL | sql.Composed = sql.SQL(PARTITIONS)
    if target.means in {"policy", "chunks"}:
        row = conn.execute(MATERIALIZED, {"view": target.table}).fetchone()
        table = row[0] if row else table
        question = sql.SQL(CHUNKS).format(schema=sql.SQL(continuous.extension_schema(conn)))
    elif target.means == "rows":
        question = sql.SQL(ROWS).format(table=sql.Identifier(SCHEMA, target.table))
    row = conn.execute(question, {"table": table}).fetchone()
    if row is None:
        raise RuntimeError("an aggregate without groups has one row")
    since, until, now, size, covered = row
    days = covered / dt.timedelta(days=1) if covered else 0
    return _Held(since, until, now, size / days if size and days else None)


def _fault(target: Target, kept: dt.timedelta | None, held: _Held) -> str:
    if kept is None or held.until is None or held.since is None:
        return ""
    if held.until + target.width > held.now - kept - PATIENCE:
        return ""
    return f"{target.relation} has rows of {held.since:%Y-%m-%d} and is kept {spelled(kept)}"


def _overview(
    choice: chosen.Choice, held: dict[Target, _Held], runs: dict[str, dt.datetime | None]
) -> Finding:
    last = [at for name, at in runs.items() if name in choice.kept and at is not None]
    dropped = f", last dropped {min(last):%Y-%m-%d %H:%M} UTC" if last else ""
    by_relation = [
        {
            "relation": target.relation,
            "kept_s": kept.total_seconds() if (kept := choice.kept.get(target.relation)) else None,
            "oldest": there.since.isoformat() if there.since else None,
            "last_dropped_at": at.isoformat() if (at := runs.get(target.relation)) else None,
            "bytes_a_day": there.bytes_a_day,
        }
        for target, there in held.items()
    ]
    total = sum(there.bytes_a_day or 0 for there in held.values())
    size = f"; a day takes {total / MIB:,.1f} MiB" if total else ""
    says = f"{chosen.told(choice.kept)}{dropped}{size}"
    return Finding("retention", "ok", says, facts={"relations": by_relation})
