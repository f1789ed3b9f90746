"""Whose a directory is, who holds it, and when it is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible_collector.errors import JournalError, JournalLockedError
from crucible_collector.journal import Journal
from journals import append_all, drain, flip, open_small, segment_files

ENTRY_COUNT = 8


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of a closed journal with ENTRY_COUNT entries."""
    with open_small(tmp_path / "journal") as journal:
        append_all(journal, range(ENTRY_COUNT))
    return tmp_path / "journal"


def damage_identity(path: Path) -> None:
    """Another id, as well-formed as the right one."""
    content = json.loads(path.read_text())
    content["journal_id"] = "00000000-0000-4000-8000-000000000000"
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "harm",
    [Path.unlink, lambda path: path.write_bytes(b""), lambda path: flip(path, 3), damage_identity],
    ids=["gone", "empty", "flipped", "another"],
)
def test_segments_know_whose_they_are_when_the_identity_is_damaged(
    directory: Path, harm: Callable[[Path], None]
) -> None:
    with open_small(directory) as journal:
        journal_id = journal.journal_id
    harm(directory / "identity")
    for _ in range(2):
        with open_small(directory) as journal:
            assert journal.journal_id == journal_id
            assert drain(journal).numbers == list(range(ENTRY_COUNT))


def test_a_segment_of_another_journal_stops_the_opening(directory: Path, tmp_path: Path) -> None:
    with open_small(tmp_path / "other") as journal:
        append_all(journal, range(1))
    shutil.copy(segment_files(tmp_path / "other")[0], directory / f"{1 << 30:020d}.segment")
    with pytest.raises(JournalError, match="belongs to another journal"):
        open_small(directory)


def test_a_later_format_is_not_touched(directory: Path) -> None:
    identity = directory / "identity"
    identity.write_text(identity.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(JournalError, match="format 2"):
        open_small(directory)


def test_a_second_holder_is_told_who_the_first_is(directory: Path) -> None:
    held = open_small(directory)
    with pytest.raises(JournalLockedError, match=str(directory)):
        open_small(directory)
    program = (
        "import pathlib, sys\n"
        "from crucible_collector.journal import Journal\n"
        "Journal.open(pathlib.Path(sys.argv[1]))\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", program, str(directory)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "JournalLockedError" in other.stderr
    assert f"process {os.getpid()}" in other.stderr
    held.close()
    open_small(directory).close()


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=str(tmp_path / "file")):
        open_small(tmp_path / "file")


def test_a_refused_opening_lets_the_directory_go(directory: Path) -> None:
    identity = directory / "identity"
    content = identity.read_text()
    identity.write_text(content.replace('"format": 1', '"format": 2'))
    with pytest.raises(JournalError):
        open_small(directory)
    identity.write_text(content)
    with open_small(directory) as journal:
        assert drain(journal).numbers == list(range(ENTRY_COUNT))


def test_a_limit_without_room_for_segments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="must allow for four segments"):
        open_small(tmp_path, bytes_max=3 * 8192)


def test_settings_may_change_between_openings(directory: Path) -> None:
    with Journal.open(directory, segment_bytes=32 << 10, bytes_max=1 << 20) as journal:
        append_all(journal, range(8, 60), body_bytes=1000)
        assert drain(journal).numbers == list(range(60))
    with open_small(directory) as journal:
        append_all(journal, range(60, 90), body_bytes=1000)
        assert drain(journal).numbers == list(range(90))
