"""How far a journal is stored: what was seen of it, what was decided, and the windows between the two.

`position` moves with the windows that are written as a whole or ahead; `decided_position` trails it
where sampling waits for what comes after a record, and is null where both are the same. Whoever moves
either says from where: if it is not there, an earlier COMMIT that seemed lost has arrived after all.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import psycopg

from crucible_collector.rows import Phase, WindowRows
from crucible_collector.store.ingest import optional_timestamp, statement

_MOVES = {Phase.WHOLE: "position", Phase.AHEAD: "position_ahead", Phase.BEHIND: "position_behind"}


class PositionMovedError(Exception):
    """The journal's position in the database is not the window's start: read it again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a journal was seen, and up to where its spans and logs are decided."""

    position: int
    decided: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A window as it was cut: so it is cut again when it is decided, or learned from anew."""

    start: int
    end: int
    duplicates: frozenset[int]  # requests


class Positions:
    """One journal's rows; the connection is the caller's, and so is the transaction."""

    def __init__(self, journal_id: uuid.UUID, description: str) -> None:
        self._journal_id = journal_id
        self._description = description
        # Since when requests are taken without a break, ns; the pipeline sets it, None at its end.
        self.heard_since_ns: int | None = None

    def read(self, connection: psycopg.Connection, head: int) -> Place:
        """Where the journal stands; at `head` if the database has never seen it."""
        row = connection.execute(
            statement("position_read"),
            {
                "journal_id": self._journal_id,
                "head": head,
                "description": self._description,
                "heard_since": optional_timestamp(self.heard_since_ns),
            },
        ).fetchone()
        if row is None:
            raise RuntimeError("position_read.sql returned no row")
        return Place(*row)

    def expect(
        self, connection: psycopg.Connection, place: Place, stored_until_ns: int | None
    ) -> None:
        """Raise PositionMovedError where the journal is no longer stored up to just `place`.

        `stored_until_ns` says that all is stored that was received before then; None: nobody knows.
        """
        found = connection.execute(
            statement("position_ask"),
            {
                "journal_id": self._journal_id,
                "position": place.position,
                "decided": place.decided,
                "stored_until": optional_timestamp(stored_until_ns),
                "heard_since": optional_timestamp(self.heard_since_ns),
            },
        )
        if found.rowcount != 1:
            raise PositionMovedError

    def put_back(self, connection: psycopg.Connection, position: int) -> None:
        """Say that the journal is stored up to `position` at most, whatever was said before."""
        connection.execute(
            statement("position_set"), {"journal_id": self._journal_id, "position": position}
        )

    def move(self, connection: psycopg.Connection, rows: WindowRows) -> dt.date | None:
        """Take the window's step; raises PositionMovedError.

        Returns before which day the window writes down what it has of traces; None: of none.
        """
        received_ns = rows.requests.received_ns
        row = connection.execute(
            statement(_MOVES[rows.phase]),
            {
                "journal_id": self._journal_id,
                "start": rows.start,
                "end": rows.end,
                "stored_until": optional_timestamp(
                    int(received_ns.max()) if len(received_ns) else None
                ),
                "heard_since": optional_timestamp(self.heard_since_ns),
            },
        ).fetchone()
        if row is None:
            raise PositionMovedError
        late_before: dt.date | None = row[0]
        return late_before

    def record(
        self, connection: psycopg.Connection, rows: WindowRows, duplicates: set[int]
    ) -> None:
        """Remember how the window was cut, where it is yet to be decided or to be learned from."""
        if rows.is_recorded:
            connection.execute(
                statement("window_recorded"),
                {
                    "journal_id": self._journal_id,
                    "start": rows.start,
                    "end": rows.end,
                    "duplicates": sorted(duplicates),
                },
            )

    def recorded(self, connection: psycopg.Connection) -> list[Recorded]:
        """The windows that are remembered, in journal order."""
        rows = connection.execute(statement("windows"), {"journal_id": self._journal_id}).fetchall()
        return [Recorded(start, end, frozenset(duplicates)) for start, end, duplicates in rows]

    def forget(self, connection: psycopg.Connection, before: int) -> None:
        """Windows that end at `before` or earlier are decided, and learned from for good."""
        connection.execute(
            statement("windows_forget"), {"journal_id": self._journal_id, "before": before}
        )
