"""Roll-ups in tables of our own, where there are no continuous aggregates.

A roll-up lies in two places, which its view adds up: in `…_parts`, where each window has put its own
sums, and in `…_minutes`, `…_hours` or `…_days`, into which `fold` moves them. A part is in the first or
in the second, in all of them at once, and no reader ever sees it in both or in neither: the fold is one
statement. So a view is exact at every moment and writers of windows only ever append.

In these tables null stands for 0: most numbers of most rows are, and a null takes no room.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg

from crucible_collector.store.rollups.families import ANOMALIES, FAMILIES
from crucible_collector.store.rollups.family import MINUTE, SCHEMA, Family, Level, Measure
from crucible_collector.store.servers import relation_kind

# Parts come and go within minutes: what they leave behind is cleared by the fold itself.
_PARTS_SETTINGS = "with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)"
# The row of this hour is updated with every fold, in its place as long as its page has room.
_FOLDED_SETTINGS = "with (fillfactor = 80)"


def create(conn: psycopg.Connection[Any]) -> None:
    """Make tables and views, and take what is stored already into account."""
    is_partitioned = relation_kind(conn, "spans") == "p"
    # Nobody writes rows without parts between the summing up and the commit.
    sources = ", ".join(sorted({f"{SCHEMA}.{family.source}" for family in FAMILIES}))
    conn.execute(f"lock table {sources} in share mode".encode())
    for family in FAMILIES:
        for statement in _tables(family, is_partitioned=is_partitioned):
            conn.execute(statement.encode())
        for level in family.levels:
            conn.execute(_view(family, level).encode())
        conn.execute(_parts_of_what_is_stored(family).encode())


def by_day(family: Family) -> str | None:
    """The family's table that has a part for each day, if it has one: the others stay small."""
    return family.table(MINUTE) if MINUTE in family.levels else None


def identity(family: Family) -> str:
    """The column that tells one row of a bucket from another: its only key, or a digest of them."""
    return family.keys[0].name if len(family.keys) == 1 else "key"


def _tables(family: Family, *, is_partitioned: bool) -> list[str]:
    columns = ", ".join(
        [
            "time timestamptz not null",
            *(f"{key.name} {key.type}{_collation(key.type)}" for key in family.keys),
            *(f"{each.name} {each.type}" for each in family.measures),
        ]
    )
    made = [
        f"create table {SCHEMA}.{family.parts} ({columns}) {_PARTS_SETTINGS}",
        _comment(family.parts, "What windows have added lately: sums of their own, to be folded"),
    ]
    own = identity(family)
    digest = ", key uuid not null" if own == "key" else ""
    for level in family.levels:
        name = family.table(level)
        divided = name == by_day(family)
        clause = "partition by range (time)" if divided and is_partitioned else ""
        settings = "" if clause else _FOLDED_SETTINGS
        made.append(f"create table {SCHEMA}.{name} ({columns}{digest}) {clause} {settings}")
        if divided:
            made.append(f"select crucible.store_by_time('{name}')")
        made += [
            f"create unique index {name}_key on {SCHEMA}.{name} ({own}, time)",
            *(
                f"create index {name}_{fields[0]} on {SCHEMA}.{name} ({', '.join(fields)}, time)"
                for fields in family.indexes
                if fields != (own,)
            ),
            f"create index {name}_time on {SCHEMA}.{name} (time)",
            _comment(name, f"Folded parts of {family.view(level)}, which adds those to come"),
        ]
        if digest:
            made.append(
                f"comment on column {SCHEMA}.{name}.key is 'Digest of what its rows are grouped by'"
            )
    return made


def _comment(table: str, text: str) -> str:
    return f"comment on table {SCHEMA}.{table} is '{text}'"


def _collation(of: str) -> str:
    return ' collate "C"' if of == "text" else ""


def bucket(level: Level) -> str:
    """The start of the bucket of that width that `time` lies in, as TimescaleDB would say."""
    return f"date_bin('{level.width}', time, timestamptz '2000-01-01 00:00:00+00')"


def _view(family: Family, level: Level) -> str:
    keys = [key.name for key in family.keys]
    measures = ", ".join(
        f"{summed(each, zero=not each.is_sparse)} as {each.name}" for each in family.measures
    )
    return (
        f"create view {SCHEMA}.{family.view(level)} as"  # noqa: S608
        f" select {', '.join(['time', *keys])}, {measures} from {addends(family, level)}"
        f" group by {', '.join(['time', *keys])}"
    )


def addends(family: Family, level: Level) -> str:
    """A table expression of what the view adds up: several rows of one key, nulls for 0.

    Who adds up anyway, to fewer keys, saves the view's grouping, which costs more than all the rest:
    36,000 rows by model and day take 62 ms instead of 365.
    """
    rest = ", ".join(each.name for each in family.own_columns)
    return (
        f"(select time, {rest} from {SCHEMA}.{family.table(level)}"  # noqa: S608
        f" union all select {bucket(level)}, {rest} from {SCHEMA}.{family.parts}) lying"
    )


def summed(measure: Measure, *, zero: bool = False) -> str:
    """The aggregate that makes one row of several; with `zero`, null as 0 where it stands for it."""
    name = measure.name
    if measure.by:
        by = measure.by
        return (
            f"(array_agg({name} order by {by}{_order(measure)}) filter (where {by} is not null))[1]"
        )
    if measure.rule != "sum":
        return f"{measure.rule}({name})"
    total = f"sum({name})::{measure.type}"
    return f"coalesce({total}, 0)" if zero else total


def _order(measure: Measure) -> str:
    return " desc" if measure.rule == "last" else ""


def _parts_of_what_is_stored(family: Family, table: str | None = None) -> str:
    level = family.levels[0]
    keys = ", ".join(key.raw for key in family.keys)
    measures = ", ".join(_of_rows(each) for each in family.measures)
    where = f" where {family.where}" if family.where else ""
    places = ", ".join(str(place) for place in range(1, len(family.keys) + 2))
    return (
        f"insert into {SCHEMA}.{family.parts} ({', '.join(family.columns)})"  # noqa: S608
        f" select {bucket(level)}, {keys}, {measures}"
        f" from {table or f'{SCHEMA}.{family.source}'}{where} group by {places}"
    )


def add_parts_of(conn: psycopg.Connection[Any], source: str, table: str) -> None:
    """Add what rows of `source` that lie in another `table`, too, add to its roll-ups."""
    for family in FAMILIES:
        if family.source == source:
            conn.execute(_parts_of_what_is_stored(family, table).encode())


def sum_label_again(conn: psycopg.Connection[Any], label: str) -> None:
    """Have the roll-ups of anomalies under a label be the sums of what is stored of them."""
    for relation in (ANOMALIES.parts, *map(ANOMALIES.table, ANOMALIES.levels)):
        statement = f"delete from {SCHEMA}.{relation} where label = %s"  # noqa: S608
        conn.execute(statement.encode(), (label,))
    conn.execute(
        _parts_of_what_is_stored(replace(ANOMALIES, where="label = %s")).encode(), (label,)
    )


def _of_rows(measure: Measure) -> str:
    if measure.by:
        ordered = f"array_agg({measure.raw} order by time{_order(measure)})"
        return f"({ordered} filter (where {measure.where}))[1]"
    return measure.raw
