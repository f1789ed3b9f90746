"""Plain PostgreSQL to TimescaleDB: the relations by time become hypertables, with their rows.

One transaction, so that a store is wholly the one or the other at any time; it needs as much free
disk as the rows take, until it ends. Nobody may write meanwhile: collectors keep what they receive in
their journals, but would go on making partitions, so they are to be stopped first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

from crucible_collector.errors import DatabaseError
from crucible_collector.store.connect import INGEST
from crucible_collector.store.partitions import RELATIONS, SCHEMA

WRITERS = """
-- Which collectors are connected to this database?
select count(*) from pg_stat_activity
where datname = current_database() and application_name = %(name)s and pid <> pg_backend_pid()
"""

DEPENDENT_VIEWS = """
-- Which views stand on the relations by time, directly or by way of other views?
with recursive dependent (oid) as (
    select unnest(%(relations)s::regclass[])::oid
    union
    select ev_class
    from dependent
    join pg_depend on refobjid = dependent.oid and refclassid = 'pg_class'::regclass
        and classid = 'pg_rewrite'::regclass
    join pg_rewrite on pg_rewrite.oid = objid
)
select pg_class.oid::regclass::text
from dependent join pg_class using (oid)
where relkind in ('v', 'm') order by 1
"""

GRANTS = """
-- Who has been granted what on the relations of the schema? System catalogues only.
select relname, case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
    privilege_type, is_grantable
from pg_class, aclexplode(relacl)
where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p', 'v')
  and not relispartition and grantee <> relowner
"""

INDEXES = """
-- How are the indexes of a relation made?
select indexrelid::regclass::text, regexp_replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
from pg_index where indrelid = %(relation)s::regclass
order by 1
"""

PARTS = """
-- Which parts does a relation have? In the order of time: their names have the day, the default is last.
select inhrelid::regclass::text from pg_inherits
where inhparent = %(relation)s::regclass order by 1
"""

Connection = psycopg.Connection[tuple[Any, ...]]


def move_to_hypertables(
    conn: Connection, make_objects: Callable[[Connection], None], log: logging.Logger
) -> None:
    """Move every relation by time, within the caller's transaction.

    `make_objects` makes functions, views and comments anew. DatabaseError where collectors are
    connected, or where somebody's own views stand on the relations.
    """
    _refuse_writers(conn)
    conn.execute("set local search_path = pg_catalog, pg_temp")  # so that every name has its schema
    grants = conn.execute(GRANTS).fetchall()
    views = _drop_views(conn)
    for relation in RELATIONS:
        log.info("moving %s to TimescaleDB", relation)
        _move(conn, relation, log)
    make_objects(conn)
    _refuse_losing(conn, views)
    for relation, grantee, privilege, grantable in grants:
        conn.execute(
            sql.SQL("grant {} on {} to {} {}").format(
                sql.SQL(privilege),
                sql.Identifier(SCHEMA, relation),
                sql.SQL(grantee),
                sql.SQL("with grant option" if grantable else ""),
            )
        )


def _refuse_writers(conn: Connection) -> None:
    row = conn.execute(WRITERS, {"name": INGEST.name}).fetchone()
    if row and row[0]:
        raise DatabaseError(
            f"collectors are connected ({row[0]}): stop them (what clients send meanwhile waits with"
            " them), then run crucible-collector migrate again to move the store to TimescaleDB"
        )


def _drop_views(conn: Connection) -> list[str]:
    relations = [f"{SCHEMA}.{relation}" for relation in RELATIONS]
    views = [row[0] for row in conn.execute(DEPENDENT_VIEWS, {"relations": relations}).fetchall()]
    foreign = [view for view in views if not view.startswith(f"{SCHEMA}.")]
    if foreign:
        raise DatabaseError(
            f"the views {', '.join(foreign)} stand on relations that are to be made anew: drop them,"
            " and create them again afterwards"
        )
    for view in views:
        conn.execute(sql.SQL("drop view if exists {} cascade").format(sql.SQL(view)))
    return views


def _refuse_losing(conn: Connection, views: list[str]) -> None:
    """What does not come back was somebody's own; the caller's transaction ends with all as it was."""
    lost = conn.execute(
        "select name from unnest(%s::text[]) name where to_regclass(name) is null", (views,)
    ).fetchall()
    if lost:
        raise DatabaseError(
            f"the views {', '.join(name for (name,) in lost)} are not the collector's: drop them,"
            " and create them again afterwards"
        )


def _move(conn: Connection, relation: str, log: logging.Logger) -> None:
    name, former = sql.Identifier(SCHEMA, relation), sql.Identifier(SCHEMA, f"{relation}_plain")
    here = {"relation": f"{SCHEMA}.{relation}"}
    conn.execute(sql.SQL("lock table {} in access exclusive mode").format(name))
    row = conn.execute(
        "select relowner::regrole::text from pg_class where oid = %(relation)s::regclass", here
    ).fetchone()
    owner = row[0] if row else "current_user"
    indexes = conn.execute(INDEXES, here).fetchall()
    parts = [part for (part,) in conn.execute(PARTS, here).fetchall()]
    for index, _ in indexes:
        conn.execute(sql.SQL("drop index {}").format(sql.SQL(index)))
    conn.execute(
        sql.SQL("alter table {} rename to {}").format(name, sql.Identifier(f"{relation}_plain"))
    )
    conn.execute(
        sql.SQL(
            "create table {} (like {} including defaults including constraints including storage"
            " including compression including comments)"
        ).format(name, former)
    )
    conn.execute("select crucible.store_by_time(%s)", (relation,))
    moved = 0
    for part in parts:
        moved += conn.execute(
            sql.SQL("insert into {} select * from {}").format(name, sql.SQL(part))
        ).rowcount
    for _, definition in indexes:
        conn.execute(sql.SQL(definition))
    conn.execute(sql.SQL("drop table {}").format(former))
    conn.execute(sql.SQL("alter table {} owner to {}").format(name, sql.SQL(owner)))
    log.info("moved %d rows of %s", moved, relation)
