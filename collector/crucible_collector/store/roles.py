"""Three roles to grant to people and programs: crucible_owner, crucible_writer, crucible_reader.

They belong to the whole server, so whoever may read one database's store may read another's where it
may connect. The owner owns the schema and all in it, so that several users may migrate and make
partitions: `grant crucible_owner to …`. It may log in, because TimescaleDB runs the policies of a
relation as its owner and refuses to for a role that may not; it has no password to do it with.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

OWNER, WRITER, READER = "crucible_owner", "crucible_writer", "crucible_reader"
ROLES = {OWNER: "login", WRITER: "nologin", READER: "nologin"}
# What each may do with every relation; views are read by all.
PRIVILEGES = {WRITER: "select, insert, update, delete", READER: "select"}

STATE = """
-- Which of the roles are there, what may this user do about it, and is every relation theirs as it
-- should be? System catalogues only. Partitions are reached through the whole that they are part of.
select
    array(select rolname::text from pg_roles where rolname = any (%(roles)s)) as present,
    (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as may_create,
    current_user::text as user_name,
    array(
        select format('%%I', relname) from pg_class
        where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
          and relowner is distinct from (select oid from pg_roles where rolname = %(owner)s)
        order by relname
    ) as owned_by_others,
    array(
        select format('%%s on %%I', privilege, relname)
        from pg_class
        join (values (%(reader)s, 'SELECT'), (%(writer)s, 'SELECT'), (%(writer)s, 'INSERT'),
                     (%(writer)s, 'UPDATE'), (%(writer)s, 'DELETE')) as due (grantee, privilege)
            on relkind <> 'v' or privilege = 'SELECT'
        join pg_roles on rolname = grantee
        where relnamespace = 'crucible'::regnamespace and relkind in ('r', 'p', 'v', 'm')
          and not relispartition
          and not (has_table_privilege(pg_roles.oid, pg_class.oid, privilege)
                   and has_schema_privilege(pg_roles.oid, relnamespace, 'USAGE'))
        order by relname
    ) as not_granted
"""

FUNCTIONS = """
-- Which functions of the schema are not the owner's?
select oid::regprocedure::text from pg_proc
where pronamespace = 'crucible'::regnamespace and proowner <> %(owner)s::regrole
"""

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class RoleState:
    """How the roles are: what is `missing` or not as it should be, and who asks."""

    missing: tuple[str, ...]
    owned_by_others: tuple[str, ...]  # relations that are not the owner's
    not_granted: tuple[str, ...]  # privileges on relations, in words
    may_create: bool
    user: str

    @property
    def is_complete(self) -> bool:
        return not (self.missing or self.owned_by_others or self.not_granted)

    def remedy(self) -> str:
        """What an administrator runs, after which `crucible-collector migrate` does the rest."""
        statements = [f"create role {name} {ROLES[name]}" for name in self.missing]
        statements.append(f'grant {OWNER} to "{self.user}"')
        return (
            "have an administrator run: "
            + "; ".join(statements)
            + "; then crucible-collector migrate"
        )


def role_state(conn: Connection) -> RoleState:
    """Ask how the roles are; the schema exists."""
    row = conn.execute(
        STATE, {"roles": list(ROLES), "owner": OWNER, "writer": WRITER, "reader": READER}
    ).fetchone()
    if row is None:
        raise RuntimeError("the question about roles has one row")
    present, may_create, user, others, not_granted = row
    missing = tuple(name for name in ROLES if name not in present)
    return RoleState(missing, tuple(others), tuple(not_granted), bool(may_create), str(user))


def make_roles(conn: Connection, log: logging.Logger) -> None:
    """Make the roles, and the schema the owner's, as far as this user may; else leave all as it is.

    The caller holds the lock of migrations. Where nothing is lacking this only asks.
    """
    if _schema_owner(conn) is not None:
        state = role_state(conn)
        if not (state.missing or state.owned_by_others):
            return
    _create_missing(conn)
    try:
        with conn.transaction():
            _hand_over(conn)
    except psycopg.errors.InsufficientPrivilege as error:
        log.info("could not hand over to %s: %s", OWNER, error.diag.message_primary)


def act_as_owner(conn: Connection) -> None:
    """Have what is made from now on belong to the owner, if the store does and the user may.

    `reset role` ends it.
    """
    if _schema_owner(conn) == OWNER and _is_member(conn):
        conn.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))


def grant_rights(conn: Connection) -> None:
    """Give writer and reader what is theirs of relations that lack it; the schema exists."""
    state = role_state(conn)
    if not state.not_granted:
        return
    for name, privileges in PRIVILEGES.items():
        if name in state.missing:
            continue
        role = sql.Identifier(name)
        conn.execute(sql.SQL("grant usage on schema crucible to {}").format(role))
        conn.execute(
            sql.SQL("grant {} on all tables in schema crucible to {}").format(
                sql.SQL(privileges), role
            )
        )


def _create_missing(conn: Connection) -> None:
    row = conn.execute(
        "select array(select rolname::text from pg_roles where rolname = any (%s)),"
        " (select rolsuper or rolcreaterole from pg_roles where rolname = current_user)",
        (list(ROLES),),
    ).fetchone()
    present, may_create = row or ((), False)
    for name, login in ROLES.items():
        if name in present or not may_create:
            continue
        try:
            with conn.transaction():
                conn.execute(
                    sql.SQL("create role {} {}").format(sql.Identifier(name), sql.SQL(login))
                )
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            continue  # a collector of another database was faster
        if name == OWNER and not _is_member(conn):
            conn.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(name)))


def _hand_over(conn: Connection) -> None:
    if not _is_member(conn):
        return
    owner = sql.Identifier(OWNER)
    before = _schema_owner(conn)
    if before is None:
        conn.execute(sql.SQL("create schema crucible authorization {}").format(owner))
        return
    if before != OWNER:
        conn.execute(sql.SQL("alter schema crucible owner to {}").format(owner))
    for name in role_state(conn).owned_by_others:
        # Quoted by format('%I') where it needs to be.
        relation = sql.SQL(f"crucible.{name}")
        conn.execute(sql.SQL("alter table {} owner to {}").format(relation, owner))
    for (function,) in conn.execute(FUNCTIONS, {"owner": OWNER}).fetchall():
        conn.execute(sql.SQL("alter function {} owner to {}").format(sql.SQL(function), owner))


def _schema_owner(conn: Connection) -> str | None:
    """None: there is no schema yet."""
    row = conn.execute(
        "select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = 'crucible'"
    ).fetchone()
    return None if row is None else str(row[0])


def _is_member(conn: Connection) -> bool:
    """Whether the user may act as the owner; a superuser always may."""
    row = conn.execute(
        "select exists (select from pg_roles where rolname = %(owner)s"
        " and pg_has_role(current_user, oid, 'USAGE'))",
        {"owner": OWNER},
    ).fetchone()
    return bool(row and row[0])
