"""The PostgreSQL servers of the benchmarks: set up as the collector sets up its own, fsync on.

Their files lie in the given directory, on a real disk: the temporary directory may be memory, where
a sync costs nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import conninfo

import databases
from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.embedded import EmbeddedServer
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Partitions
from databases import TestServer

LOG = logging.getLogger("benchmarks")


@contextmanager
def plain(directory: Path) -> Iterator[TestServer]:
    """PostgreSQL as the collector embeds it."""
    with _started(directory / "plain", None, {"shared_preload_libraries": ""}) as server:
        yield TestServer("plain", f"PostgreSQL {server.version}", server.dsn, server)


@contextmanager
def timescale(directory: Path) -> Iterator[TestServer | None]:
    """TimescaleDB, from where the tests take it; None where there is none."""
    installed = next((each for each in databases._system_binaries() if each.has_timescaledb), None)
    given = os.environ.get(databases.URL_VARIABLE)
    if given:
        yield TestServer("timescale", databases.URL_VARIABLE, given)
    elif installed:
        with _started(directory / "timescale", installed.directory, {}) as server:
            source = f"TimescaleDB on PostgreSQL {server.version}"
            yield TestServer("timescale", source, server.dsn, server)
    else:
        with databases._container() as found:
            yield found


@contextmanager
def _started(
    directory: Path, bin_dir: Path | None, settings: dict[str, str]
) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(directory, bin_dir, LOG, settings=settings)
    try:
        server.start()
        with connect(server.dsn, MAINTENANCE) as conn:
            (fsync,) = conn.execute("show fsync").fetchone() or ("?",)
        if fsync != "on":
            raise RuntimeError(f"fsync is {fsync}: nothing measured here would be durable")
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def fresh_database(server: TestServer) -> Iterator[str]:
    """The DSN of a database with the collector's schema, room for today, and not a row in it."""
    with server.database(migrated=False) as dsn:
        capabilities = migrate(dsn, LOG)
        with connect(dsn, MAINTENANCE) as conn:
            Partitions(capabilities, LOG).ensure_ahead(conn, dt.datetime.now(dt.UTC))
        yield dsn


def settle(server: TestServer) -> None:
    """Write out what the last measurement left, so that the next one does not pay for it."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as conn:
        conn.execute("checkpoint")


def url(dsn: str, database: str) -> str:
    """The server's address as SQLAlchemy reads it, with the driver that is installed for it."""
    parameters = conninfo.conninfo_to_dict(dsn)
    host, port = parameters.get("host"), parameters.get("port")
    user, password = parameters.get("user"), parameters.get("password")
    secret = f":{password}" if password else ""
    return f"postgresql+psycopg2://{user}{secret}@/{database}?host={host}&port={port}"
