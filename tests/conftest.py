"""Fixtures for whole servers and for one fresh database a test; the store conformance suite.

The suite is what asks for `any_server`, for `module_server` or for a fixture that stands on either
(`database`, `empty_database`): it runs on plain PostgreSQL, on TimescaleDB and on every further server
that CRUCIBLE_TEST_POSTGRES_BIN names; what asks for `timescale_server` runs on each that has
TimescaleDB. `-m conformance` chooses it. Migrations, room for rows, windows, roll-ups, views, upkeep,
questions and the API are in it. The summary at the end says which servers those were, so that a
missing one cannot pass for a tested one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import databases
from databases import Servers, TestServer

_numbers = itertools.count()

SERVERS = pytest.StashKey[Servers]()
OF_WORKERS = pytest.StashKey[dict[str, str]]()
FURTHER = pytest.StashKey[tuple[str, ...]]()
TOLD = "database servers"
NO_TIMESCALEDB = (
    "no TimescaleDB: install it, start Docker or set"
    f" {databases.URL_VARIABLE} or {databases.BIN_VARIABLE}"
)
SUITE = {"any_server", "module_server", "timescale_server"}
KINDS = ("plain", "timescale")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "conformance: the store's promises, on every server found")
    config.stash[SERVERS] = Servers()
    config.stash[OF_WORKERS] = {}
    try:
        config.stash[FURTHER] = tuple(databases.further_servers())
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    further = metafunc.config.stash[FURTHER]
    for fixture in sorted(SUITE & set(metafunc.fixturenames)):
        if fixture != "timescale_server":
            metafunc.parametrize(fixture, (*KINDS, *further), indirect=True)
        elif further:
            metafunc.parametrize(fixture, ("timescale", *further), indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    if SUITE & set(getattr(item, "fixturenames", ())):
        item.add_marker("conformance")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells which servers it used to the process that prints the summary."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told[TOLD] = session.config.stash[SERVERS].sources()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Of a worker that crashed nothing is known."""
    node.config.stash[OF_WORKERS].update(getattr(node, "workeroutput", {}).get(TOLD, {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    missed = sum(NO_TIMESCALEDB in str(report.longrepr) for report in skipped)
    sources = config.stash[OF_WORKERS] | config.stash[SERVERS].sources()
    for name, source in sorted(sources.items()):
        says = source or f"NONE FOUND, {missed} tests skipped"
        terminalreporter.write_line(f"database server ({name}): {says}")


@pytest.fixture(scope="session")
def _states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("states")


@pytest.fixture(autouse=True)
def _own_state(_states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test's SDK has spooled for a port is not sent to the next test's collector there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(_states / str(next(_numbers))))


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    """Every server of the session; started when first used, stopped at its end."""
    started = pytestconfig.stash[SERVERS]
    yield started
    started.close()


def _server(servers: Servers, name: str) -> TestServer:
    server = servers.get(name)
    if server is None:
        pytest.skip(NO_TIMESCALEDB)
    return server


@pytest.fixture(scope="session")
def plain_server(servers: Servers) -> TestServer:
    """PostgreSQL without TimescaleDB, as the collector embeds it."""
    return _server(servers, "plain")


@pytest.fixture(scope="session")
def timescale_server(request: pytest.FixtureRequest, servers: Servers) -> TestServer:
    """TimescaleDB, each further one in turn; a test is skipped, and the summary says so, without any."""
    return _server(servers, getattr(request, "param", "timescale"))


@pytest.fixture
def any_server(request: pytest.FixtureRequest, servers: Servers) -> TestServer:
    """Each server in turn."""
    return _server(servers, request.param)


@pytest.fixture(scope="module")
def module_server(request: pytest.FixtureRequest, servers: Servers) -> TestServer:
    """Each server in turn, for what a module's tests fill once and share."""
    return _server(servers, request.param)


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
