"""Fixtures for whole servers and for one fresh database a test.

`database` runs a test twice, on plain PostgreSQL and on TimescaleDB; the summary at the end says
which servers those were, so that a missing one cannot pass for a tested one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import databases
from databases import TestServer

_numbers = itertools.count()

SERVERS = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVERS] = {}


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for kind, source in sorted(config.stash[SERVERS].items()):
        terminalreporter.write_line(f"database server ({kind}): {source}")


@pytest.fixture(scope="session")
def _states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("states")


@pytest.fixture(autouse=True)
def _own_state(_states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's SDK has spooled for a port is not sent to the next test's collector there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(_states / str(next(_numbers))))


@pytest.fixture(scope="session")
def plain_server(pytestconfig: pytest.Config) -> Iterator[TestServer]:
    """PostgreSQL without TimescaleDB, as the collector embeds it."""
    with databases.plain_server() as server:
        pytestconfig.stash[SERVERS]["plain"] = server.source
        yield server


@pytest.fixture(scope="session")
def timescale_server(pytestconfig: pytest.Config) -> Iterator[TestServer]:
    """TimescaleDB; a test is skipped, and the summary says so, where none is found."""
    with databases.timescale_server() as server:
        if server is None:
            pytestconfig.stash[SERVERS]["timescale"] = "NONE FOUND: its tests were skipped"
            pytest.skip(f"no TimescaleDB: install it, start Docker or set {databases.URL_VARIABLE}")
        pytestconfig.stash[SERVERS]["timescale"] = server.source
        yield server


@pytest.fixture(params=["plain", "timescale"])
def any_server(request: pytest.FixtureRequest) -> TestServer:
    """Each kind of server in turn."""
    server: TestServer = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture
def database(any_server: TestServer) -> Iterator[str]:
    """The DSN of a fresh migrated database, on each kind of server in turn."""
    with any_server.database() as dsn:
        yield dsn


@pytest.fixture
def empty_database(any_server: TestServer) -> Iterator[str]:
    """The DSN of a fresh database without the schema, on each kind of server in turn."""
    with any_server.database(migrated=False) as dsn:
        yield dsn


@pytest.fixture
def plain_database(plain_server: TestServer) -> Iterator[str]:
    """The DSN of a fresh migrated database on plain PostgreSQL."""
    with plain_server.database() as dsn:
        yield dsn
