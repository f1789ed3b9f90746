"""A write or a sync that fails is never acknowledged, and leaves nothing behind that shows later."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from crucible_collector.errors import OverloadedError
from crucible_collector.journal import Journal, files
from crucible_collector.journal.files import Piece
from journals import WAIT_S, append_all, drain, entry_of, open_small, segment_files


class FailingDisk:
    """Fails the next syncs or writes of segments in use with EIO; the rest goes to the real disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.syncs_to_fail = 0
        self.writes_to_fail = 0
        self.bytes_before_failure = 0
        self.is_wiping_allowed = True
        self.failed: tuple[Path, bytes] | None = None  # the file whose sync failed last
        self._sync, self._write, self._zero = files.sync_data, files.write_at, files.zero_at
        monkeypatch.setattr(files, "sync_data", self._sync_data)
        monkeypatch.setattr(files, "write_at", self._write_at)
        monkeypatch.setattr(files, "zero_at", self._zero_at)

    def _sync_data(self, fd: int) -> None:
        if self.syncs_to_fail and not is_draft(fd):
            self.syncs_to_fail -= 1
            path = Path(f"/proc/self/fd/{fd}").readlink()
            self.failed = path, path.read_bytes()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._sync(fd)

    def _write_at(self, fd: int, pieces: Sequence[Piece], offset: int) -> int:
        if self.writes_to_fail and not is_draft(fd):
            self.writes_to_fail -= 1
            self._write(fd, [b"".join(pieces)[: self.bytes_before_failure]], offset)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._write(fd, pieces, offset)

    def _zero_at(self, fd: int, offset: int, length: int) -> None:
        if not self.is_wiping_allowed and not is_draft(fd):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._zero(fd, offset, length)


def is_draft(fd: int) -> bool:
    """Whether it is the file of a segment that is only being made."""
    return Path(f"/proc/self/fd/{fd}").readlink().name == "draft.tmp"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FailingDisk:
    return FailingDisk(monkeypatch)


def refused(journal: Journal, number: int) -> None:
    with pytest.raises(OverloadedError, match="Input/output error"):
        journal.append(entry_of(number)).result(WAIT_S)


def fail_sync(disk: FailingDisk) -> None:
    disk.syncs_to_fail = 1


def fail_write_at_once(disk: FailingDisk) -> None:
    disk.writes_to_fail = 1


def fail_write_midway(disk: FailingDisk) -> None:
    disk.writes_to_fail, disk.bytes_before_failure = 1, 100


FAILURES = pytest.mark.parametrize("fail", [fail_sync, fail_write_at_once, fail_write_midway])


@FAILURES
@pytest.mark.parametrize("is_wiped", [True, False])
def test_a_failure_is_refused_and_what_comes_after_it_is_kept(
    tmp_path: Path, disk: FailingDisk, fail: Callable[[FailingDisk], None], is_wiped: bool
) -> None:
    disk.is_wiping_allowed = is_wiped
    with open_small(tmp_path) as journal:
        append_all(journal, range(3))
        fail(disk)
        refused(journal, 66)
        append_all(journal, range(3, 6))
        found = drain(journal)
        assert (found.numbers, found.damaged) == (list(range(6)), [])
    with open_small(tmp_path) as journal:
        found = drain(journal)
        assert (found.numbers, found.damaged) == (list(range(6)), [])


@FAILURES
def test_a_segment_that_failed_is_not_written_again(
    tmp_path: Path, disk: FailingDisk, fail: Callable[[FailingDisk], None]
) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(3))
        failed = segment_files(tmp_path)[0]
        fail(disk)
        refused(journal, 66)
        content = failed.read_bytes()
        append_all(journal, range(3, 30))
        assert failed.read_bytes() == content


@pytest.mark.parametrize("is_wiped", [True, False])
def test_failures_in_a_row_leave_neither_ghosts_nor_files(
    tmp_path: Path, disk: FailingDisk, is_wiped: bool
) -> None:
    disk.is_wiping_allowed = is_wiped
    with open_small(tmp_path) as journal:
        append_all(journal, range(2))
        for number in range(60, 70):
            disk.syncs_to_fail = 1
            refused(journal, number)
        append_all(journal, range(2, 4))
        assert drain(journal).numbers == [0, 1, 2, 3]
        assert len(segment_files(tmp_path)) <= 4
    with open_small(tmp_path) as journal:
        found = drain(journal)
        assert (found.numbers, found.damaged) == ([0, 1, 2, 3], [])


def test_an_abandoned_segment_that_a_crash_left_behind_does_not_count(
    tmp_path: Path, disk: FailingDisk
) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(2))
        for number in (66, 67):
            disk.syncs_to_fail = 1
            refused(journal, number)
        append_all(journal, range(2, 4))
    assert disk.failed is not None
    path, content = disk.failed
    assert not path.exists()
    path.write_bytes(content)
    with open_small(tmp_path) as journal:
        found = drain(journal)
        assert (found.numbers, found.damaged) == ([0, 1, 2, 3], [])


def test_a_failure_of_the_very_first_write_leaves_an_empty_journal(
    tmp_path: Path, disk: FailingDisk
) -> None:
    with open_small(tmp_path) as journal:
        disk.syncs_to_fail = 1
        refused(journal, 66)
        assert journal.tail == 0
        append_all(journal, range(2))
        found = drain(journal, 0)
        assert (found.numbers, found.damaged) == ([0, 1], [])


def test_a_crash_right_after_a_failure_shows_no_ghost(tmp_path: Path, disk: FailingDisk) -> None:
    """Before any later segment could say where the data ended: the wiping is all there is."""
    with open_small(tmp_path) as journal:
        append_all(journal, range(3))
        disk.syncs_to_fail = 1
        refused(journal, 66)
    with open_small(tmp_path) as journal:
        found = drain(journal)
        assert (found.numbers, found.damaged) == ([0, 1, 2], [])
        append_all(journal, range(3, 5))
        assert drain(journal).numbers == list(range(5))


def test_a_disk_that_fails_for_good_fills_nothing_up(tmp_path: Path, disk: FailingDisk) -> None:
    with open_small(tmp_path, bytes_max=4 * 8192) as journal:
        append_all(journal, range(2))
        disk.syncs_to_fail = 10**9
        for number in range(20):
            refused(journal, number)
        disk.syncs_to_fail = 0
        append_all(journal, range(2, 4))
        assert drain(journal).numbers == [0, 1, 2, 3]


def test_unreadable_sectors_cost_the_records_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal.open(tmp_path, segment_bytes=1 << 16, bytes_max=1 << 20) as journal:
        ends = append_all(journal, range(40), body_bytes=1000)
        bad_from, bad_to = 8192, 12288
        preadv = os.preadv

        def failing(fd: int, into: list[memoryview], offset: int) -> int:
            if offset < bad_to and offset + len(into[0]) > bad_from:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return preadv(fd, into, offset)

        monkeypatch.setattr(os, "preadv", failing)
        found = drain(journal)
    starts = [128, *ends[:-1]]
    lost = {n for n in range(40) if starts[n] < bad_to and ends[n] > bad_from}
    assert set(found.numbers) == set(range(40)) - lost
    assert found.damaged
