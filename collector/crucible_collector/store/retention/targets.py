"""Where the rows of each relation lie, and which way they can go.

The kinds mix: a store that moved to TimescaleDB has hypertables beside portable roll-ups, and its Apache
edition has hypertables that nobody drops parts of by itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from crucible_collector.retention import RAW
from crucible_collector.store.partitions import Connection
from crucible_collector.store.rollups import continuous
from crucible_collector.store.rollups.families import FAMILIES
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE
from crucible_collector.store.servers import Capabilities, relation_kind

# policy: TimescaleDB's own; chunks, partitions: dropped as a whole; rows: deleted, batch by batch.
Means = Literal["policy", "chunks", "partitions", "rows"]
WIDTHS = {
    MINUTE: dt.timedelta(minutes=1),
    HOUR: dt.timedelta(hours=1),
    DAY: dt.timedelta(days=1),
}

HYPERTABLES = """
-- Which hypertables and continuous aggregates are there? TimescaleDB's catalogue.
select hypertable_name::text from timescaledb_information.hypertables
where hypertable_schema = 'crucible'
union all
select view_name::text from timescaledb_information.continuous_aggregates
where view_schema = 'crucible'
"""


@dataclass(frozen=True, slots=True)
class Target:
    """The rows of `relation` lie in `table`; each stands for the time from its own on for `width`."""

    relation: str
    table: str
    width: dt.timedelta
    means: Means


def targets(conn: Connection, capabilities: Capabilities) -> list[Target]:
    """Return one a relation, rows before what is made of them.

    Continuous aggregates without the licence to refresh them, and what they are made of, are left out:
    their sums would be lost.
    """
    hypertables: set[str] = set()
    has_policies = False
    if capabilities.timescaledb is not None:
        hypertables = {name for (name,) in conn.execute(HYPERTABLES).fetchall()}
        has_policies = continuous.licence(conn) == continuous.COMMUNITY
    if capabilities.rollups == "continuous" and not has_policies:
        return []
    found = []
    for relation, table, width in _tables(is_portable=capabilities.rollups == "portable"):
        means: Means = "partitions" if relation_kind(conn, table) == "p" else "rows"
        if table in hypertables:
            means = "policy" if has_policies else "chunks"
        found.append(Target(relation, table, width, means))
    return found


def _tables(*, is_portable: bool) -> Iterator[tuple[str, str, dt.timedelta]]:
    for relation in RAW:
        yield relation, relation, dt.timedelta(0)
    for family in FAMILIES:
        for level in family.levels:
            view = family.view(level)
            yield view, family.table(level) if is_portable else view, WIDTHS[level]
