"""What becomes of roll-ups when rows are dropped into an archive, or come back from it: nothing.

Portable ones lie in tables of their own. Continuous ones would lose what a refresh finds no rows of any
more, and a refresh makes all of a bucket anew. So, as when retention is shortened: first everything is
refreshed from the rows, then refreshes are kept clear of the whole time before the archive's end, and
only then do rows go. What still comes for that time is not in continuous roll-ups until all is back.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from dataclasses import dataclass

from crucible_collector.errors import DatabaseAwayError, DatabaseError
from crucible_collector.retention import least, spelled
from crucible_collector.store import rollups
from crucible_collector.store.partitions import Connection
from crucible_collector.store.retention import chosen, policies
from crucible_collector.store.retention.chosen import SUMMED
from crucible_collector.store.retention.targets import targets
from crucible_collector.store.rollups import continuous
from crucible_collector.store.servers import (
    Capabilities,
    check_server,
    relations_are_hypertables,
    timescaledb_version,
)

POLICIES_WAIT_S = 30.0
POLICIES_POLL_S = 0.2
YOUNGEST = max(least(each) for each in SUMMED)

GONE = """
-- Rows before this may be gone, or null: all are back. The primary key.
update crucible.archives set gone_before = %(before)s where archive_id = %(archive)s
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of store it is."""

    capabilities: Capabilities

    @property
    def is_continuous(self) -> bool:
        return self.capabilities.rollups == "continuous"


def kind_of(conn: Connection) -> Kind:
    """Ask the database; DatabaseError where there is no store in it."""
    capabilities = check_server(conn)
    version = timescaledb_version(conn) if relations_are_hypertables(conn) else None
    kept = rollups.kind_of(conn)
    if kept is None:
        raise DatabaseError("there is no store in this database: start a collector first")
    return Kind(Capabilities(capabilities.server_version, version, kept))


def refuse_unsafe(conn: Connection, kind: Kind, end: dt.datetime) -> None:
    """DatabaseError where rows before `end` could not be dropped without loss to roll-ups."""
    if not kind.is_continuous:
        return
    if continuous.licence(conn) != continuous.COMMUNITY:
        raise DatabaseError(
            "nothing can be dropped: the roll-ups are continuous aggregates, which TimescaleDB does not"
            " refresh under this licence"
        )
    if not chosen.may_change(conn):
        raise DatabaseError(
            "nothing can be dropped: this user may not change what is refreshed (grant crucible_owner to it)"
        )
    row = conn.execute("select %s > now() - %s::interval", (end, YOUNGEST)).fetchone()
    if row is None or row[0]:
        raise DatabaseError(
            f"rows up to {end:%Y-%m-%d %H:%M} UTC cannot be dropped yet: roll-ups are complete"
            f" {spelled(YOUNGEST)} after them; archive what is older (--to), or drop it then"
        )


def settle(
    conn: Connection, kind: Kind, archive_id: uuid.UUID, before: dt.datetime, log: logging.Logger
) -> None:
    """Have roll-ups keep what they have of rows before that time, which are about to go."""
    if kind.is_continuous:
        policies.complete(conn, SUMMED)
    conn.execute(GONE, {"archive": archive_id, "before": before})
    _follow(conn, kind, log)


def all_is_back(conn: Connection, kind: Kind, archive_id: uuid.UUID, log: logging.Logger) -> None:
    """The rows of an archive are there again: roll-ups may be made of them."""
    conn.execute(GONE, {"archive": archive_id, "before": None})
    _follow(conn, kind, log)


def kept_for(conn: Connection) -> dict[str, dt.timedelta]:
    """For how long rows of each relation are kept; what is kept for ever is not named."""
    return chosen.read(conn).kept


def sum_up(conn: Connection, kind: Kind) -> None:
    """Have continuous roll-ups take in rows that came from elsewhere, as far back as refreshes reach."""
    if kind.is_continuous and continuous.licence(conn) == continuous.COMMUNITY:
        policies.complete(conn, SUMMED)


def _follow(conn: Connection, kind: Kind, log: logging.Logger) -> None:
    """Have the refreshes reach as far back as no row is gone. DatabaseAwayError where others are at it."""
    if not kind.is_continuous:
        return
    deadline = time.monotonic() + POLICIES_WAIT_S
    while not policies.keep(conn, chosen.read(conn), targets(conn, kind.capabilities), log):
        if time.monotonic() > deadline:
            raise DatabaseAwayError("another collector is changing what is refreshed: try again")
        time.sleep(POLICIES_POLL_S)
