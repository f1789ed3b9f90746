"""Stored spans and log records once more, in batches and in the order of their start, for `simulate`.

Both signals are read in one snapshot, through cursors of the server's: however long the period, this
side holds a batch of each. What one could not guess: `cursor_tuple_fraction` is what has the planner
read the index on time as far as asked; else it sorts the period before it gives the first row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import psycopg

from crucible_collector.errors import DatabaseAwayError, DatabaseError, QueryTooSlowError
from crucible_collector.store.connect import READ, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.read import query_text

BATCH_ROWS = 8192
REPLAY = replace(
    READ,
    name="crucible replay",
    settings={
        **READ.settings,
        "cursor_tuple_fraction": "0.001",
        # Long decisions between two batches are no reason to end the transaction.
        "idle_in_transaction_session_timeout": "10min",
    },
    autocommit=False,
)

Batch = dict[str, tuple[Any, ...]]  # by the query's names of its columns


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records that began in the period; of one experiment, and with the values of attributes."""

    start: dt.datetime
    end: dt.datetime
    experiment: str | None = None
    attributes: tuple[str, ...] = ()


class Replay:
    """The records of a period, as long as its transaction lasts."""

    def __init__(self, connection: Connection, wanted: Wanted) -> None:
        self._connection = connection
        self._parameters = {
            "from_time": wanted.start,
            "to_time": wanted.end,
            "experiment": wanted.experiment,
            "attributes": list(wanted.attributes),
        }

    def spans(self) -> Iterator[Batch]:
        """Spans by their start, batch by batch."""
        return self._read("simulated_spans")

    def logs(self) -> Iterator[Batch]:
        """Log records by their time, batch by batch."""
        return self._read("simulated_logs")

    def _read(self, question: str) -> Iterator[Batch]:
        return batches(self._connection, question, self._parameters)


def batches(
    connection: Connection, question: str, parameters: Mapping[str, Any]
) -> Iterator[Batch]:
    """What a named question answers, batch by batch, through a cursor of the server's."""
    text = cast("Any", query_text(question))  # only texts of this package become SQL
    with understood(question), connection.cursor(name=question) as cursor:
        cursor.execute(text, parameters, binary=True)
        names = [column.name for column in cursor.description or ()]
        while rows := cursor.fetchmany(BATCH_ROWS):
            yield dict(zip(names, zip(*rows, strict=True), strict=True))


@contextmanager
def replay(dsn: str, wanted: Wanted, *, batch_timeout_s: float = 0) -> Iterator[Replay]:
    """The records of a period as they are now. DatabaseAwayError, QueryTooSlowError, DatabaseError.

    `batch_timeout_s`: how long a batch may take; 0: for ever.
    """
    with snapshot(dsn, batch_timeout_s=batch_timeout_s) as connection:
        yield Replay(connection, wanted)


@contextmanager
def snapshot(
    dsn: str, *, batch_timeout_s: float = 0, settings: Mapping[str, str] | None = None
) -> Iterator[Connection]:
    """A connection that reads the store as it is now; see `replay`. `settings` are the session's."""
    told = {"statement_timeout": f"{round(batch_timeout_s * 1000)}ms", **(settings or {})}
    with understood("replay"):
        connection = connect(dsn, replace(REPLAY, settings={**REPLAY.settings, **told}))
    with closing(connection):
        with understood("replay"):
            # What is stored meanwhile changes nothing. Who makes room or drops old rows gives up quickly
            # where a reader is in the way, and tries again.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


@contextmanager
def understood(question: str) -> Iterator[None]:
    """What the driver raises, as what the caller knows."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise QueryTooSlowError(f"the query {question!r} ran into its time limit") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise DatabaseAwayError(f"the database does not answer: {str(error).strip()}") from error
    except psycopg.errors.UndefinedTable as error:
        raise DatabaseError(
            "there is no store in this database: start a collector first"
        ) from error
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error).strip()
        raise DatabaseError(f"the database says: {said}") from error
