"""What was chosen, in the table `crucible.retention`: the same for every collector of the database.

A change also remembers how far back rows may be gone by what was chosen before. Keeping rows longer from
now on does not bring them back, and a roll-up that is refreshed over a range whose rows are gone becomes
empty there.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from crucible_collector.errors import DatabaseError
from crucible_collector.retention import MADE_OF, RAW, RELATIONS, check, spelled
from crucible_collector.store.partitions import Connection

# The relations of which there are roll-ups.
SUMMED = tuple(each for each in RAW if each in MADE_OF.values())

READ = """
-- For how long is each relation kept, and for how long were its rows kept without a gap? One row a relation.
select relation, kept, now() - dropped_before from crucible.retention
"""

ARCHIVED = """
-- For how long was nothing dropped because it is in an archive? Null: nothing was. No index: these are few.
select now() - max(gone_before) from crucible.archives
"""

WRITE = """
-- Chooses anew; gives what that changed. By the primary key.
insert into crucible.retention as old (relation, kept)
select * from unnest(%(relations)s::text[], %(kept)s::interval[])
on conflict (relation) do update
    set kept = excluded.kept, dropped_before = greatest(old.dropped_before, now() - old.kept)
    where old.kept is distinct from excluded.kept
returning relation
"""

GONE = """
-- Remembers that rows older than this may be gone. By the primary key.
update crucible.retention set dropped_before = greatest(dropped_before, now() - %(kept)s::interval)
where relation = %(relation)s
"""

MAY_CHANGE = """
-- May this user do what only owners may? All that is the collector's has one owner.
select pg_has_role(current_user, relowner, 'USAGE') from pg_class
where oid = 'crucible.retention'::regclass
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """`kept` lacks what is kept for ever; `relations` are those of which anything was chosen.

    `whole` says for how long back no row is missing, where rows were dropped under an earlier choice or
    because an archive has them.
    """

    kept: dict[str, dt.timedelta]
    relations: frozenset[str]
    whole: dict[str, dt.timedelta]

    @property
    def is_made(self) -> bool:
        return bool(self.relations)


def read(conn: Connection) -> Choice:
    """Return what the database has; DatabaseError where somebody put there what cannot be."""
    choice = _read(conn)
    try:
        check(choice.kept)
    except ValueError as error:
        raise DatabaseError(f"crucible.retention has {error}") from None
    return choice


def _read(conn: Connection) -> Choice:
    rows = conn.execute(READ).fetchall()
    kept = {relation: length for relation, length, _ in rows if length is not None}
    whole = {relation: age for relation, _, age in rows if age is not None}
    (archived,) = conn.execute(ARCHIVED).fetchone() or (None,)
    if archived is not None:
        whole |= {each: min(whole.get(each, archived), archived) for each in SUMMED}
    return Choice(kept, frozenset(relation for relation, *_ in rows), whole)


def choose(conn: Connection, wanted: Mapping[str, dt.timedelta], log: logging.Logger) -> None:
    """Write what a setting says, within the caller's transaction; all that it lacks is for ever.

    Without the right to do it, what is there stays, and the log says so.
    """
    before = _read(conn)  # as it is: this is how what cannot be is mended
    if before.is_made and before.kept == wanted:
        return
    if not may_change(conn):
        log.warning(
            "retention stays as it is in the database, not as set: the user may not change it"
            " (grant crucible_owner to it, or run crucible-collector migrate)"
        )
        return
    kept = [wanted.get(relation) for relation in RELATIONS]
    changed = conn.execute(WRITE, {"relations": list(RELATIONS), "kept": kept}).fetchall()
    if changed:
        log.info("retention: %s", told(wanted))


def remember_gone(conn: Connection, relation: str, kept: dt.timedelta) -> None:
    """Rows of a relation that has its row here were dropped after `kept`, until now."""
    conn.execute(GONE, {"relation": relation, "kept": kept})


def may_change(conn: Connection) -> bool:
    """Whether this user owns what there is, or may act as its owner."""
    row = conn.execute(MAY_CHANGE).fetchone()
    return bool(row and row[0])


def told(kept: Mapping[str, dt.timedelta]) -> str:
    """What is kept for how long, in a few words."""
    named = [f"{relation} {spelled(kept[relation])}" for relation in RELATIONS if relation in kept]
    return ", ".join(named) + "; all else for ever" if named else "everything is kept for ever"
