"""The real PostgreSQL servers that tests run against, and a fresh migrated database for each test.

A server is started once a session and migrated once, into a template; a test's database is a copy
of that (10 ms where the server's files lie in memory, 100 ms on a disk). `create database … template`
refuses a template that anybody is using, and on TimescaleDB a background worker may be: our own server
runs none, another's are ended first.

One server of each kind, `plain` and `timescale`, is used by every test. The store conformance suite
(see conftest) runs over each further one, too, that CRUCIBLE_TEST_POSTGRES_BIN names.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from crucible_collector.store import binaries
from crucible_collector.store.embedded import EmbeddedServer
from crucible_collector.store.migrate import migrate

URL_VARIABLE = "CRUCIBLE_TEST_DATABASE_URL"
BIN_VARIABLE = "CRUCIBLE_TEST_POSTGRES_BIN"
TIMESCALE_IMAGE = "timescale/timescaledb:2.28.3-pg18"
TEMPLATE = f"crucible_template_{os.getpid()}"
COPY_ATTEMPTS = 10
LOG = logging.getLogger("tests.databases")

# Durability is for tests of durability, which start a server of their own.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "min_wal_size": "32MB",
    "max_connections": "60",
}
# Half a thousand small files a database: 15 ms in memory, 80 to 160 ms on a disk. What tests hold at once
# takes a few hundred MB.
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 1024**3
# No jobs run by themselves in tests, so no worker is in a database's way.
QUIET_TIMESCALEDB = {"timescaledb.max_background_workers": "0"}


@dataclass
class TestServer:
    """A running server and how it was come by (for the summary)."""

    __test__ = False

    kind: str  # plain or timescale
    source: str
    admin_dsn: str
    embedded: EmbeddedServer | None = None
    bin_dir: Path | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _has_template: bool = False

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """Yield the DSN of a fresh database, dropped afterwards."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        if migrated and not self._has_template:
            self._make_template()
        self._create(name, TEMPLATE if migrated else "template0")
        try:
            yield self.dsn(name)
        finally:
            self._admin("drop database if exists {} with (force)", name)

    def dsn(self, database: str) -> str:
        return conninfo.make_conninfo(self.admin_dsn, dbname=database)

    def drop_template(self) -> None:
        """Leave a server that lives on as it was found."""
        if self._has_template:
            self._admin("drop database if exists {} with (force)", TEMPLATE)

    def _make_template(self) -> None:
        self._admin("drop database if exists {} with (force)", TEMPLATE)
        self._create(TEMPLATE, "template0")
        capabilities = migrate(self.dsn(TEMPLATE), LOG)
        if (capabilities.timescaledb is not None) != (self.kind == "timescale"):
            raise RuntimeError(f"{self.source} is not a {self.kind} server")
        self._has_template = True

    def _create(self, name: str, template: str) -> None:
        # Copying files beats copying through the log where a checkpoint costs no sync.
        strategy = "wal_log" if self.embedded is None else "file_copy"
        create = sql.SQL("create database {} template {} encoding 'UTF8' strategy {}").format(
            sql.Identifier(name), sql.Identifier(template), sql.Identifier(strategy)
        )
        with psycopg.connect(self.admin_dsn, autocommit=True) as conn:
            for attempt in range(1, COPY_ATTEMPTS + 1):
                conn.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where datname = %s",
                    (template,),
                )
                try:
                    conn.execute(create)
                except psycopg.errors.ObjectInUse:  # a background worker came back at once
                    if attempt == COPY_ATTEMPTS:
                        raise
                else:
                    return

    def _admin(self, statement: str, name: str) -> None:
        with psycopg.connect(self.admin_dsn, autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(sql.Identifier(name)))


@contextmanager
def plain_server() -> Iterator[TestServer]:
    """Yield a PostgreSQL without TimescaleDB: the embedded one, of whichever binaries there are."""
    with _started(None, {**FAST, "shared_preload_libraries": ""}) as embedded:
        yield TestServer("plain", f"embedded PostgreSQL {embedded.version}", embedded.dsn, embedded)


@contextmanager
def timescale_server() -> Iterator[TestServer | None]:
    """Yield a TimescaleDB: the one that CRUCIBLE_TEST_DATABASE_URL names, else one of the system's
    binaries, else the first of CRUCIBLE_TEST_POSTGRES_BIN, else one in Docker; None without any.
    """
    url = os.environ.get(URL_VARIABLE)
    installed = _timescale_binaries()
    if url:
        server = TestServer("timescale", f"{versions(url)} of {URL_VARIABLE}", url)
        try:
            yield server
        finally:
            server.drop_template()
    elif installed:
        with timescale_of(installed.directory) as server:
            yield server
    else:
        with _container() as contained:
            yield contained


@contextmanager
def timescale_of(bin_dir: Path, **settings: str) -> Iterator[TestServer]:
    """Yield a TimescaleDB of the given programs, `settings` beside those of tests."""
    with _started(bin_dir, FAST | QUIET_TIMESCALEDB | settings) as embedded:
        source = f"{versions(embedded.dsn)} in {bin_dir}"
        yield TestServer("timescale", source, embedded.dsn, embedded, bin_dir)


def versions(dsn: str) -> str:
    """What a server with TimescaleDB says that it is, and what it would create."""
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "select format('PostgreSQL %s with TimescaleDB %s',"
            " split_part(current_setting('server_version'), ' ', 1),"
            " (select default_version from pg_available_extensions where name = 'timescaledb'))"
        ).fetchone()
    return str(row[0]) if row else "PostgreSQL"


def further_servers() -> dict[str, Path]:
    """The programs of CRUCIBLE_TEST_POSTGRES_BIN that no other server of the tests runs, by a name.

    ValueError, with what is wrong, where a directory has no PostgreSQL with TimescaleDB.
    """
    installed = None if os.environ.get(URL_VARIABLE) else _timescale_binaries()
    used = {installed.directory.resolve()} if installed else set()
    found: dict[str, Path] = {}
    for given in _given_binaries():
        if given.directory.resolve() in used:
            continue
        used.add(given.directory.resolve())
        name = f"timescale-{_timescaledb_version(given.directory)}-pg{given.version}"
        if name in found:
            name = f"{name}-{len(found) + 1}"
        found[name] = given.directory
    return found


class Servers:
    """The servers of a session by name, each started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[str, TestServer | None] = {}

    def get(self, name: str) -> TestServer | None:
        """Return `plain`, `timescale` or a further one; None where no TimescaleDB was found."""
        if name not in self._running:
            self._running[name] = self._stack.enter_context(_server(name))
        return self._running[name]

    def sources(self) -> dict[str, str]:
        """What was asked for, and how it was come by."""
        return {name: server.source if server else "" for name, server in self._running.items()}

    def close(self) -> None:
        self._stack.close()


@contextmanager
def _server(name: str) -> Iterator[TestServer | None]:
    if name == "plain":
        with plain_server() as server:
            yield server
    elif name == "timescale":
        with timescale_server() as found:
            yield found
    else:
        with timescale_of(further_servers()[name]) as server:
            yield server


def _timescale_binaries() -> binaries.Binaries | None:
    installed = next((found for found in _system_binaries() if found.has_timescaledb), None)
    return installed or next(_given_binaries(), None)


def _given_binaries() -> Iterator[binaries.Binaries]:
    for directory in filter(None, os.environ.get(BIN_VARIABLE, "").split(os.pathsep)):
        found = binaries.inspect(Path(directory))
        if found is None:
            raise ValueError(f"{BIN_VARIABLE}: {directory} has no working postgres and initdb")
        if found.major < binaries.MAJOR_MIN:
            raise ValueError(
                f"{BIN_VARIABLE}: {directory} has PostgreSQL {found.version};"
                f" {binaries.MAJOR_MIN} or newer is needed"
            )
        if not found.has_timescaledb:
            raise ValueError(
                f"{BIN_VARIABLE}: PostgreSQL {found.version} in {directory} has no TimescaleDB"
            )
        yield found


def _timescaledb_version(bin_dir: Path) -> str:
    """The version that `create extension` takes, without a server to ask."""
    answer = subprocess.run(
        [bin_dir / "pg_config", "--sharedir"], capture_output=True, text=True, check=True
    )
    control = Path(answer.stdout.strip(), "extension", "timescaledb.control").read_text("utf-8")
    match = re.search(r"^default_version\s*=\s*'(.+)'", control, re.MULTILINE)
    return match[1] if match else "unknown"


def _system_binaries() -> Iterator[binaries.Binaries]:
    for directory in binaries.system_directories():
        found = binaries.inspect(directory)
        if found and found.major >= binaries.MAJOR_MIN:
            yield found


@contextmanager
def _started(bin_dir: Path | None, settings: dict[str, str]) -> Iterator[EmbeddedServer]:
    directory = Path(tempfile.mkdtemp(prefix="crucible-test-", dir=_memory()))
    server = EmbeddedServer(directory, bin_dir, LOG, settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _memory() -> Path | None:
    """A file system in memory, where there is one with room; else None, for the temporary directory."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < MEMORY_BYTES_MIN:
        return None
    return MEMORY


def _fails(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


@contextmanager
def _container() -> Iterator[TestServer | None]:
    """Docker counts only where its daemon answers; the client alone is not enough."""
    client = shutil.which("docker")
    if client is None or _fails(client, "info"):
        yield None
        return
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer(TIMESCALE_IMAGE, driver=None) as container:
        url = container.get_connection_url()
        yield TestServer("timescale", f"{versions(url)} in Docker ({TIMESCALE_IMAGE})", url)
