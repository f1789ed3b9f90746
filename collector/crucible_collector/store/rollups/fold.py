"""Fold the parts that windows have written into minutes, hours and days.

One statement takes parts away and adds their sums to every level, so that no reader sees a part twice
or not at all. Parts that are written meanwhile, and those of late rows, are for the next time. One
collector folds at a time; nobody else writes to the folded tables, so nobody waits for a row.
"""

from __future__ import annotations

import functools
import logging

from crucible_collector.store.partitions import Connection, Partitions
from crucible_collector.store.rollups.families import FAMILIES
from crucible_collector.store.rollups.family import SCHEMA, Family, Level, Measure
from crucible_collector.store.rollups.portable import bucket, by_day, identity, summed

LOCK_KEY = int.from_bytes(b"fold")
# What one statement takes: some seconds' work, of which a failure loses nothing.
PARTS_MAX = 200_000


class Folding:
    """The folder's rounds; used by the maintenance thread, with a connection in autocommit."""

    def __init__(
        self, partitions: Partitions, log: logging.Logger, *, parts_max: int = PARTS_MAX
    ) -> None:
        self._partitions = partitions
        self._log = log
        self._parts_max = parts_max

    def fold(self, conn: Connection) -> int:
        """Fold what is there; return how many parts that were, 0 where another collector does it."""
        return sum(self._fold(conn, family) for family in FAMILIES)

    def _fold(self, conn: Connection, family: Family) -> int:
        self._make_room(conn, family)
        folded = 0
        while True:
            with conn.transaction():
                row = conn.execute("select pg_try_advisory_xact_lock(%s)", (LOCK_KEY,)).fetchone()
                if row is None or not row[0]:
                    return folded
                found = conn.execute(_statement(family).encode(), {"most": self._parts_max})
                count = int((found.fetchone() or (0,))[0])
            folded += count
            if count < self._parts_max:
                break
        if folded:
            # What was folded lies dead in the way of every reader of the parts until it is cleared;
            # cut off as well, since a backlog folded at once may have been a gigabyte.
            conn.execute(f"vacuum (skip_locked) {SCHEMA}.{family.parts}".encode())
            self._log.debug("folded %d parts of %s", folded, family.name)
        return folded

    def _make_room(self, conn: Connection, family: Family) -> None:
        relation = by_day(family)
        if relation is None:
            return
        days = conn.execute(
            "select distinct (time at time zone 'UTC')::date"  # noqa: S608
            f" from {SCHEMA}.{family.parts} order by 1".encode()
        ).fetchall()
        self._partitions.ensure(conn, relation, [day for (day,) in days])
        self._partitions.ensure_default(conn, relation)


@functools.cache
def _statement(family: Family) -> str:
    levels = ", ".join(
        f"{family.table(level)}_folded as ({_into(family, level)})" for level in family.levels
    )
    parts = f"{SCHEMA}.{family.parts}"
    return (
        f"with moved as (delete from {parts} where ctid = any (array("  # noqa: S608
        f"select ctid from {parts} limit %(most)s)) returning *), {levels}"
        " select count(*) from moved"
    )


def _into(family: Family, level: Level) -> str:
    """Add the moved parts to the rows of a level."""
    table, own = family.table(level), identity(family)
    keys = [key.name for key in family.keys]
    columns, values = list(family.columns), [bucket(level), *keys]
    values += [summed(each) for each in family.measures]
    if own == "key":
        columns.append("key")
        values.append(f"md5(row({', '.join(keys)})::text)::uuid")
    merged = ", ".join(f"{each.name} = {_merged(each)}" for each in family.measures)
    places = ", ".join(str(place) for place in range(1, len(keys) + 2))
    return (
        f"insert into {SCHEMA}.{table} as old ({', '.join(columns)})"  # noqa: S608
        f" select {', '.join(values)} from moved group by {places}"
        f" on conflict ({own}, time) do update set {merged}"
    )


def _merged(measure: Measure) -> str:
    """The measure of a row that was there and of one that comes to it."""
    name = measure.name
    old, new = f"old.{name}", f"excluded.{name}"
    if measure.by:
        old_at, new_at = f"old.{measure.by}", f"excluded.{measure.by}"
        sign = "<" if measure.rule == "first" else ">"
        return f"case when {old_at} is null or {new_at} {sign} {old_at} then {new} else {old} end"
    if measure.rule == "sum":
        return f"coalesce({old} + {new}, {old}, {new})"
    return f"{'least' if measure.rule == 'min' else 'greatest'}({old}, {new})"
