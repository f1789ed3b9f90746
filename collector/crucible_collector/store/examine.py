"""Is the database well? The checks of `crucible-collector doctor` that ask it; nothing is changed.

Each check is a function that yields findings, with its question beside it; `examine` runs them in the
order in which one makes sense of the next, and one that fails costs only itself.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg

from crucible_collector.errors import DatabaseError, SettingsError
from crucible_collector.findings import Finding
from crucible_collector.store.connect import READ_TIMEOUT, Intent, check_understood, connect
from crucible_collector.store.examine_alerts import alerts
from crucible_collector.store.examine_columnstore import packed
from crucible_collector.store.examine_detection import detection
from crucible_collector.store.examine_retention import retention
from crucible_collector.store.examine_sampling import sampling
from crucible_collector.store.examine_storage import jobs, room, sizes
from crucible_collector.store.examine_traces import traces
from crucible_collector.store.migrate import not_applied
from crucible_collector.store.partitions import Connection
from crucible_collector.store.roles import role_state
from crucible_collector.store.servers import (
    check_server,
    relations_are_hypertables,
    timescaledb_is_loaded,
    timescaledb_version,
)

DOCTOR = Intent(
    "crucible doctor",
    {
        "timezone": "UTC",
        "client_min_messages": "warning",
        "statement_timeout": READ_TIMEOUT,
        "lock_timeout": "5s",
        "default_transaction_read_only": "on",
    },
)
# A collector asks its position every 5 s, whatever there is to write.
SILENT_S = 60.0
BEHIND_S = 60.0
# Liveness and partitions compare no clocks; people and charts do.
SKEW_WARNING_S, SKEW_WRONG_S = 1.0, 60.0

EXTENSION = """
-- Which TimescaleDB could there be, and under which licence does it run?
select default_version, current_setting('timescaledb.license', true)
from pg_available_extensions where name = 'timescaledb'
"""

JOURNALS = """
-- How far is each journal stored, and when was its collector last heard of? One row a collector.
select journal_id::text, description, heard_since is null,
    extract(epoch from clock_timestamp() - updated_at)::float8,
    extract(epoch from updated_at - stored_until)::float8
from crucible.positions order by description, journal_id
"""


def examine(
    dsn: str, clock: Callable[[], float] = time.time, *, past: dt.timedelta | None = None
) -> Iterator[Finding]:
    """Yield what is found in the database of `dsn`; never raises for what the database says.

    `clock` is the collector's, Unix seconds; `past` is how old a record may be that it takes.
    """
    try:
        check_understood(dsn)
        began = time.monotonic()
        conn = connect(dsn, DOCTOR)
    except SettingsError as error:
        yield Finding("connection", "wrong", str(error), "give another --database-url")
        return
    except psycopg.OperationalError as error:
        said = str(error).strip().replace("\n", "; ")
        remedy = "start the database, or give another --database-url; until then journals fill"
        yield Finding("connection", "wrong", f"the database does not answer: {said}", remedy)
        return
    with closing(conn):
        took_ms = (time.monotonic() - began) * 1e3
        place = f"{conn.info.dbname} at {conn.info.host or 'a local socket'}"
        says = f"database {place} answers {conn.info.user} in {took_ms:.0f} ms"
        yield Finding("connection", "ok", says, facts={"connect_ms": took_ms})
        yield from _attempt(conn, "clock", lambda own: clock_skew(own, clock))
        for name, check in _BEFORE_SCHEMA:
            yield from _attempt(conn, name, check)
        if relations_are_hypertables(conn) is None:
            return
        for name, check in _WITH_SCHEMA:
            yield from _attempt(conn, name, check)
        yield from _attempt(conn, "retention", lambda own: retention(own, past))


def _attempt(
    conn: Connection, name: str, check: Callable[[Connection], Iterator[Finding]]
) -> Iterator[Finding]:
    try:
        yield from check(conn)
    except psycopg.errors.InsufficientPrivilege as error:
        says = f"{conn.info.user} may not look: {error.diag.message_primary}"
        yield Finding(name, "skipped", says, "use a member of crucible_owner")
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).strip()
        yield Finding(name, "wrong", f"the database says: {said}", "see the database's log")


def clock_skew(conn: Connection, clock: Callable[[], float]) -> Iterator[Finding]:
    """Ask the database's time; half the round trip is the uncertainty."""
    best: tuple[float, float] | None = None
    for _ in range(3):
        before = clock()
        row = conn.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
        after = clock()
        found = ((after - before) / 2, (row[0] if row else after) - (before + after) / 2)
        best = found if best is None or found < best else best
    uncertain_s, skew_s = best or (0.0, 0.0)
    level: str = "ok"
    if abs(skew_s) > SKEW_WARNING_S + uncertain_s:
        level = "wrong" if abs(skew_s) > SKEW_WRONG_S + uncertain_s else "warning"
    ahead = "ahead of" if skew_s > 0 else "behind"
    yield Finding(
        "clock",
        level,  # type: ignore[arg-type]
        f"the database's clock is {abs(skew_s):.3f} s {ahead} this one (± {uncertain_s:.3f})",
        "" if level == "ok" else "have both machines' clocks set by NTP",
        {"skew_s": skew_s, "uncertainty_s": uncertain_s},
    )


def server(conn: Connection) -> Iterator[Finding]:
    """PostgreSQL's version, encoding and role are such that a collector can write."""
    try:
        capabilities = check_server(conn)
    except DatabaseError as error:
        yield Finding("server", "wrong", str(error), "use another server or database")
        return
    yield Finding("server", "ok", f"PostgreSQL {capabilities.server_version}, UTF8, primary")


def timescaledb(conn: Connection) -> Iterator[Finding]:
    """The extension, its licence, and whether the store makes use of it."""
    try:
        installed = timescaledb_version(conn)
    except DatabaseError as error:
        yield Finding("timescaledb", "wrong", str(error), "alter extension timescaledb update")
        return
    hypertables = relations_are_hypertables(conn)
    if not hypertables:
        yield _unused(is_there=timescaledb_is_loaded(conn), has_store=hypertables is not None)
        return
    row = conn.execute(EXTENSION).fetchone()
    available, licence = row or (installed, None)
    if available != installed:
        says = f"TimescaleDB {installed}; the server has {available}"
        yield Finding("timescaledb", "warning", says, "alter extension timescaledb update")
    else:
        yield Finding("timescaledb", "ok", f"TimescaleDB {installed}")
    if licence == "timescale":
        yield Finding("licence", "ok", "timescaledb.license is timescale (Community)")
    else:
        says = f"timescaledb.license is {licence}: no continuous aggregates, columnstore, retention"
        remedy = "set timescaledb.license = 'timescale' where the build has it, and restart"
        yield Finding("licence", "warning", says, remedy, {"licence": licence})


def _unused(*, is_there: bool, has_store: bool) -> Finding:
    if not is_there:
        return Finding("timescaledb", "ok", "not there: the store is on plain PostgreSQL")
    remedy = "stop the collectors and run crucible-collector migrate, which moves the rows"
    says = "TimescaleDB is there, and the store does not use it"
    return Finding(
        "timescaledb", "warning" if has_store else "ok", says, remedy if has_store else ""
    )


def schema(conn: Connection) -> Iterator[Finding]:
    """The database is as this version makes it, neither behind nor ahead."""
    try:
        missing = not_applied(conn)
    except DatabaseError as error:
        yield Finding("schema", "wrong", str(error), "upgrade this collector")
        return
    if missing:
        says = f"not applied: {', '.join(missing)}"
        remedy = "run crucible-collector migrate, or start a collector"
        yield Finding("schema", "wrong", says, remedy, {"missing": missing})
    else:
        yield Finding("schema", "ok", "every migration is applied")


def roles(conn: Connection) -> Iterator[Finding]:
    """The three roles are there, own what they should and may what they should."""
    state = role_state(conn)
    if state.is_complete:
        yield Finding(
            "roles", "ok", "crucible_owner, crucible_writer and crucible_reader are there"
        )
        return
    told = (
        ("missing", state.missing),
        ("not granted", state.not_granted),
        ("not crucible_owner's", state.owned_by_others),
    )
    says = "; ".join(f"{what}: {_some(names)}" for what, names in told if names)
    yield Finding("roles", "warning", says, state.remedy())


def _some(names: tuple[str, ...]) -> str:
    rest = len(names) - 3
    return ", ".join(names[:3]) + (f" and {rest} more" if rest > 0 else "")


def journals(conn: Connection) -> Iterator[Finding]:
    """Each collector's place: whether it writes, and how far behind it is."""
    found = conn.execute(JOURNALS).fetchall()
    if not found:
        yield Finding("lag", "ok", "no collector has written to this database yet")
    for journal_id, description, has_ended, silent_s, behind_s in found:
        name = description or journal_id
        facts = {"journal_id": journal_id, "silent_s": silent_s, "behind_s": behind_s}
        if has_ended:
            yield Finding("lag", "ok", f"{name} ended with nothing left to write", facts=facts)
        elif silent_s > SILENT_S:
            says = f"{name} was last heard of {silent_s:.0f} s ago: what it holds waits with it"
            remedy = (
                "start that collector again with its data directory; gone for good, it loses it"
            )
            yield Finding("lag", "warning", says, remedy, facts)
        elif behind_s is not None and behind_s > BEHIND_S:
            says = f"{name} is {behind_s:.0f} s behind what it has received"
            remedy = "wait while it catches up; if it does not, the database is too slow for it"
            yield Finding("lag", "warning", says, remedy, facts)
        else:
            yield Finding("lag", "ok", f"{name} writes, {behind_s or 0:.1f} s behind", facts=facts)


_BEFORE_SCHEMA = (("server", server), ("timescaledb", timescaledb), ("schema", schema))
_WITH_SCHEMA = (
    ("roles", roles),
    ("room", room),
    ("jobs", jobs),
    ("lag", journals),
    ("sizes", sizes),
    ("columnstore", packed),
    ("traces", traces),
    ("sampling", sampling),
    ("detection", detection),
    ("alerts", alerts),
)
