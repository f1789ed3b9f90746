"""What there is in the schema of a database, to be compared with a listing or with another database."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

from crucible_collector.store.rollups.families import FAMILIES

LISTING = Path(__file__).with_name("schema.txt")
LISTING_PORTABLE = Path(__file__).with_name("schema_portable.txt")

COLUMNS = """
select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attnotnull then ' not null' else '' end
    || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
from pg_class c
join pg_attribute a on a.attrelid = c.oid and attnum > 0 and not attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'crucible'::regnamespace and c.relkind in ('r', 'p', 'v')
  and not c.relispartition
order by c.relname, a.attnum
"""
INDEXES = """
select regexp_replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
from pg_index i
join pg_class c on c.oid = i.indrelid
where c.relnamespace = 'crucible'::regnamespace and not c.relispartition
  and i.indexrelid is distinct from to_regclass('crucible.points_time')  -- for TimescaleDB's refreshes
order by 1
"""


PORTABLE = {
    relation
    for family in FAMILIES
    for relation in (family.parts, *(family.table(level) for level in family.levels))
}


def listing(dsn: str, *, portable: bool = False) -> str:
    """Every column and index of the schema, one a line; of the portable roll-ups' tables or all else."""
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(COLUMNS).fetchall() + conn.execute(INDEXES).fetchall()
    return "".join(f"{row[0]}\n" for row in rows if (_relation(row[0]) in PORTABLE) == portable)


def _relation(line: str) -> str:
    found = re.search(r"(?<= ON crucible\.)\w+|^\w+(?=\.)", line)
    assert found is not None
    return found[0]


def applied(dsn: str) -> list[tuple[str, str]]:
    """The migrations that have been applied, by name, with their hashes."""
    with psycopg.connect(dsn) as conn:
        if conn.execute("select to_regclass('crucible.migrations')").fetchone() == (None,):
            return []
        return conn.execute("select name, sha256 from crucible.migrations order by name").fetchall()
