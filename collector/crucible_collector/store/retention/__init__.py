"""Rows are kept for as long as somebody chose, and for ever where nobody did.

`chosen` is the choice, in the table `crucible.retention`; `targets` says where the rows of a relation
lie and how they can go. `policies` has TimescaleDB Community drop them; `dropping` does it itself, in the
maintenance thread, where there is no such thing. `Retention` is the step of that thread which sees to
both.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable

import psycopg

from crucible_collector.errors import DatabaseError
from crucible_collector.retention import RAW, spelled
from crucible_collector.store.partitions import IN_THE_WAY, Connection
from crucible_collector.store.retention import chosen, policies
from crucible_collector.store.retention.dropping import drop
from crucible_collector.store.retention.targets import targets
from crucible_collector.store.rollups.continuous import CLEAR_OF_RETENTION
from crucible_collector.store.servers import Capabilities

EVERY_S = 3600.0


class Retention:
    """The step that keeps retention; one thread uses it, with a connection in autocommit.

    `past` is how old a record may be that this collector takes; None: it takes none.
    """

    def __init__(
        self,
        capabilities: Capabilities,
        log: logging.Logger,
        *,
        past: dt.timedelta | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capabilities = capabilities
        self._log = log
        self._past = past
        self._clock = clock
        self._due = float("-inf")
        self._told: set[str] = set()

    def keep(self, conn: Connection) -> None:
        """Do what is due: all of it once in EVERY_S, and what somebody was in the way of, again."""
        if self._clock() < self._due:
            return
        try:
            is_done = self._keep(conn)
        except psycopg.errors.InsufficientPrivilege as error:
            self._tell(f"the user may not drop rows: {error.diag.message_primary}")
            is_done = True
        except IN_THE_WAY as error:
            self._log.info(
                "retention is not as chosen yet, somebody is in the way: %s", type(error).__name__
            )
            is_done = False
        except DatabaseError as error:
            self._tell(f"nothing is dropped: {error}")
            is_done = True
        if is_done:
            self._due = self._clock() + EVERY_S

    def _keep(self, conn: Connection) -> bool:
        choice = chosen.read(conn)
        kept = choice.kept
        if self._past is not None and (late := taken_late(kept, self._past)):
            self._tell(late)
        if choice.is_made and not chosen.may_change(conn):
            self._tell(
                "this user may not drop rows (grant crucible_owner to it): another collector does,"
                " or crucible-collector migrate"
            )
            return True
        found = targets(conn, self._capabilities)
        is_done = policies.keep(conn, choice, found, self._log)
        return drop(conn, found, kept, self._log) and is_done

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._log.warning("%s", what)


def taken_late(kept: dict[str, dt.timedelta], past: dt.timedelta) -> str:
    """Which records are taken although they are older than what is kept; empty where none are.

    They are stored and go soon; those that are older than a refresh reaches never get into the roll-ups.
    """
    late = [
        f"{name} after {spelled(kept[name])}"
        for name in RAW
        if name in kept and past > kept[name] - CLEAR_OF_RETENTION
    ]
    if not late:
        return ""
    days = past / dt.timedelta(days=1)
    return (
        f"records up to {days:g} days old are taken but dropped are {', '.join(late)}: such late ones go"
        " soon, and those that come less than a day before it, or later, may be missing in the roll-ups"
    )
