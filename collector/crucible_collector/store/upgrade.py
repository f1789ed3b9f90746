"""What `crucible-collector migrate` does: the database brought up to date while no collector needs to run.

Beyond what every start does, it moves a store to TimescaleDB where the extension has come since, and
makes room ahead and drops what is no longer kept, so that collectors may be given the writer's rights
only.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from crucible_collector.errors import DatabaseAwayError
from crucible_collector.journal.directory import lock
from crucible_collector.settings import Settings
from crucible_collector.store.connect import MAINTENANCE, check_understood, connect
from crucible_collector.store.database import EMBEDDED_DIRECTORY
from crucible_collector.store.embedded import EmbeddedServer, running_dsn
from crucible_collector.store.migrate import migrate, migrations
from crucible_collector.store.partitions import Partitions
from crucible_collector.store.retention import Retention


def upgrade(settings: Settings, log: logging.Logger) -> str:
    """Bring the database of `settings` up to date; return in a line what it is now.

    Raises DatabaseError, NewerDatabaseError where it is ahead of this version, DatabaseAwayError where
    it does not answer, JournalLockedError where a collector runs the embedded one.
    """
    with _reached(settings, log) as dsn:
        try:
            capabilities = migrate(
                dsn,
                log,
                timescaledb=settings.timescaledb,
                moves=True,
                retention=settings.retention,
            )
            with closing(connect(dsn, MAINTENANCE)) as conn:
                Partitions(capabilities, log).ensure_ahead(conn, dt.datetime.now(dt.UTC))
                Retention(capabilities, log).keep(conn)
        except psycopg.OperationalError as error:
            raise DatabaseAwayError(f"the database does not answer: {str(error).strip()}") from None
    kind = f" with TimescaleDB {capabilities.timescaledb}" if capabilities.timescaledb else ""
    newest = migrations()[-1].name
    return f"up to date: PostgreSQL {capabilities.server_version}{kind}, schema {newest}"


def bring_up_to_date(settings: Settings, dsn: str, log: logging.Logger) -> None:
    """Migrate a database that was reached. DatabaseError, DatabaseAwayError."""
    try:
        migrate(dsn, log, timescaledb=settings.timescaledb, retention=settings.retention)
    except psycopg.OperationalError as error:
        raise DatabaseAwayError(f"the database does not answer: {str(error).strip()}") from None


@contextmanager
def reached_anyhow(settings: Settings, log: logging.Logger) -> Iterator[str]:
    """The DSN of the database, whether a collector runs or not: an embedded one that does not is run meanwhile."""
    running = None
    if not settings.database_url:
        running = running_dsn(settings.data_dir / EMBEDDED_DIRECTORY)
    if running is not None:
        yield running
        return
    if not settings.database_url:
        (settings.data_dir / "journal").mkdir(parents=True, exist_ok=True)
    with _reached(settings, log) as dsn:
        yield dsn


@contextmanager
def _reached(settings: Settings, log: logging.Logger) -> Iterator[str]:
    """The DSN of the given database, or of the embedded one, run for as long as this lasts."""
    if settings.database_url:
        check_understood(settings.database_url)
        yield settings.database_url
        return
    # Whatever runs in the data directory without this lock is a leftover, which a start ends.
    held = lock(settings.data_dir / "journal")
    try:
        server = EmbeddedServer(settings.data_dir / EMBEDDED_DIRECTORY, settings.postgres_bin, log)
        try:
            yield server.start()
        finally:
            server.stop()
    finally:
        os.close(held)
