"""TimescaleDB Community drops by itself: one policy a hypertable or continuous aggregate.

The order is what one could not guess. Rows are gone once retention is shortened, so first everything is
refreshed from them, then refreshes are kept clear of what will be missing, then the policy changes.
Where rows are kept longer than before, retention gives way at once, and the refreshes come after: no
further back than what is whole.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping

from psycopg import sql

from crucible_collector.retention import least, spelled
from crucible_collector.store.partitions import SCHEMA, Connection
from crucible_collector.store.retention.chosen import Choice, remember_gone
from crucible_collector.store.retention.targets import Target
from crucible_collector.store.rollups import continuous
from crucible_collector.store.rollups.families import FAMILIES
from crucible_collector.store.rollups.family import Family

LOCK_KEY = int.from_bytes(b"policy")
EVERY = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)

FOUND = """
-- Which retention policies are there? TimescaleDB's catalogue; one row a policy.
select hypertable_name::text, (config ->> 'drop_after')::interval
from timescaledb_information.jobs
where proc_name = 'policy_retention' and hypertable_schema = 'crucible' and config ? 'drop_after'
"""


def keep(conn: Connection, choice: Choice, found: list[Target], log: logging.Logger) -> bool:
    """Have the policies say what was chosen; False where another collector is at it.

    Policies of relations of which nothing was ever chosen are somebody's own, and stay.
    """
    places = [target for target in found if target.means == "policy"]
    if not places:
        return True
    row = conn.execute("select pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    if row is None or not row[0]:
        return False
    try:
        _keep(conn, choice, places, log)
    finally:
        conn.execute("select pg_advisory_unlock(%s)", (LOCK_KEY,))
    return True


def _keep(conn: Connection, choice: Choice, places: list[Target], log: logging.Logger) -> None:
    before: dict[str, dt.timedelta] = dict(conn.execute(FOUND).fetchall())
    chosen = [target for target in places if target.relation in choice.relations]
    longer = [each for each in chosen if _is_longer(choice.kept.get(each.relation), before, each)]
    whole = dict(choice.whole)
    with conn.transaction():
        for target in longer:
            was = before.pop(target.table)
            remember_gone(conn, target.relation, was)  # it may have been somebody's own policy
            whole[target.relation] = min(whole.get(target.relation, was), was)
            _set(conn, target, choice.kept.get(target.relation))
    shorter = [
        each
        for each in chosen
        if each.relation in choice.kept
        and each not in longer
        and before.get(each.table) != choice.kept[each.relation]
    ]
    views_are_policies = any(each.table == each.relation for each in places if each.width)
    if views_are_policies:
        complete(conn, {each.relation for each in shorter})
    with conn.transaction():
        if views_are_policies:
            continuous.refresh_by_themselves(conn, reach(before | choice.kept, whole))
        for target in shorter:
            _set(conn, target, choice.kept[target.relation])
    for target in (*longer, *shorter):
        length = spelled(choice.kept.get(target.relation))
        log.info("TimescaleDB keeps %s: %s", target.table, length)


def _is_longer(kept: dt.timedelta | None, before: Mapping[str, dt.timedelta], at: Target) -> bool:
    return at.table in before and (kept is None or kept > before[at.table])


def reach(
    kept: Mapping[str, dt.timedelta], whole: Mapping[str, dt.timedelta]
) -> dict[str, dt.timedelta]:
    """For how long back a refresh finds every row of a relation; what is not named is whole.

    What is whole only since retention became longer grows by the day, so that refreshes change by the
    day and not each time.
    """
    found = dict(kept)
    for relation, age in whole.items():
        days = max(age // DAY * DAY, least(relation))
        found[relation] = min(found.get(relation, days), days)
    return found


def complete(conn: Connection, relations: Iterable[str]) -> None:
    """Refresh, as far back as so far, what is made of `relations`, whose rows will go."""
    named = set(relations)
    schema = sql.SQL(continuous.extension_schema(conn))
    for family in FAMILIES:
        if not named & {family.source, *map(family.view, family.levels)}:
            continue
        for job in _refreshes(conn, family):
            conn.execute(sql.SQL("call {}.run_job(%s)").format(schema), (job,))


def _refreshes(conn: Connection, family: Family) -> list[int]:
    """The jobs of its levels, narrowest first."""
    jobs = []
    for level in family.levels:
        row = conn.execute(continuous.JOB.encode(), {"view": family.view(level)}).fetchone()
        if row is not None:
            jobs.append(int(row[0]))
    return jobs


def _set(conn: Connection, target: Target, kept: dt.timedelta | None) -> None:
    schema = continuous.extension_schema(conn)
    name = f"{SCHEMA}.{target.table}"
    conn.execute(
        sql.SQL("select {}.remove_retention_policy(%s::regclass, if_exists => true)").format(
            sql.SQL(schema)
        ),
        (name,),
    )
    if kept is None:
        return
    conn.execute(
        sql.SQL(
            "select {}.add_retention_policy(%s::regclass, drop_after => %s::interval,"
            " schedule_interval => %s::interval)"
        ).format(sql.SQL(schema)),
        (name, kept, EVERY),
    )
