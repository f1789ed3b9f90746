"""The journal's files: ready ahead, bounded, kept a while, used again, and a disk that fills up."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from crucible_collector.errors import OverloadedError
from crucible_collector.journal import Journal, files
from journals import (
    SEGMENT_BYTES,
    WAIT_S,
    append_all,
    drain,
    entry_of,
    flip,
    open_small,
    segment_files,
)

ONE_A_SEGMENT = 5000  # a body so long that no two share a segment


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def fill(journal: Journal, first: int = 0) -> list[int]:
    """Append until there is no more room; the numbers that were acknowledged."""
    numbers: list[int] = []
    for number in range(first, first + 10_000):
        try:
            journal.append(entry_of(number, ONE_A_SEGMENT)).result(WAIT_S)
        except OverloadedError:
            return numbers
        numbers.append(number)
    pytest.fail("the journal never filled up")


def append_when_there_is_room(journal: Journal, number: int) -> int:
    """As a sender does who is told to come back."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return journal.append(entry_of(number, ONE_A_SEGMENT)).result(WAIT_S)
        except OverloadedError:
            assert time.monotonic() < deadline
            threading.Event().wait(0.02)


def settled(journal: Journal, disk_bytes: int) -> bool:
    """Wait for the allocator to have brought the files to a size."""
    deadline = time.monotonic() + WAIT_S
    while journal.disk_bytes != disk_bytes:
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


def test_an_idle_journal_takes_two_segments(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(1))
        assert settled(journal, 2 * SEGMENT_BYTES)
        sizes = [path.stat() for path in segment_files(tmp_path)]
        assert sum(size.st_size for size in sizes) == 2 * SEGMENT_BYTES
        assert all(size.st_blocks * 512 >= size.st_size for size in sizes), "holes"


def test_a_full_journal_refuses_at_once_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    with open_small(tmp_path, bytes_max=10 * SEGMENT_BYTES) as journal:
        numbers = fill(journal)
        assert numbers == list(range(10))
        for _ in range(20):
            with pytest.raises(OverloadedError, match="limit of 81920 bytes") as refusal:
                journal.append(entry_of(99, ONE_A_SEGMENT))
            assert refusal.value.retry_after_s > 0
        assert journal.disk_bytes <= 10 * SEGMENT_BYTES
        assert drain(journal).numbers == numbers
    with open_small(tmp_path, bytes_max=10 * SEGMENT_BYTES) as journal:
        assert drain(journal).numbers == numbers


def test_a_full_journal_still_takes_what_fits(tmp_path: Path) -> None:
    with open_small(tmp_path, bytes_max=4 * SEGMENT_BYTES) as journal:
        fill(journal)
        append_all(journal, range(100, 101))
        assert drain(journal).numbers == [0, 1, 2, 3, 100]


def test_releasing_makes_room_before_the_retention_is_over(tmp_path: Path) -> None:
    with open_small(tmp_path, bytes_max=6 * SEGMENT_BYTES) as journal:
        count = len(fill(journal))
        ends = drain(journal).ends
        journal.release(ends[2])
        append_when_there_is_room(journal, count)
        assert journal.head > 0
        assert drain(journal, ends[2]).numbers == list(range(3, count + 1))
        assert journal.disk_bytes <= 6 * SEGMENT_BYTES


def test_what_was_not_released_never_goes(tmp_path: Path) -> None:
    with open_small(tmp_path, bytes_max=6 * SEGMENT_BYTES, retain_s=0) as journal:
        acknowledged: list[int] = []
        for _ in range(5):
            numbers = fill(journal, len(acknowledged))
            acknowledged += numbers
            released = drain(journal).ends
            journal.release(released[len(released) // 2])
            append_when_there_is_room(journal, len(acknowledged))
            acknowledged.append(len(acknowledged))
            assert drain(journal, released[len(released) // 2]).numbers[-1] == acknowledged[-1]


def test_released_segments_stay_for_their_time(tmp_path: Path) -> None:
    clock = Clock()
    with open_small(tmp_path, retain_s=600, clock=clock) as journal:
        ends = append_all(journal, range(5), ONE_A_SEGMENT)
        journal.release(ends[-1])
        clock.now_s += 599
        journal.release(ends[-1])
        assert drain(journal).numbers == [0, 1, 2, 3, 4]
        clock.now_s += 1
        journal.release(ends[-1])
        assert drain(journal).numbers == [4]
        assert settled(journal, 3 * SEGMENT_BYTES)  # in use, ready, to be used again


def test_time_counts_from_the_release_of_each_segment(tmp_path: Path) -> None:
    clock = Clock()
    with open_small(tmp_path, retain_s=600, clock=clock) as journal:
        ends = append_all(journal, range(5), ONE_A_SEGMENT)
        journal.release(ends[1])
        clock.now_s += 400
        journal.release(ends[3])
        clock.now_s += 200
        journal.release(ends[4])
        assert drain(journal).numbers == [2, 3, 4]


def test_a_database_set_back_in_time_keeps_what_is_still_there(tmp_path: Path) -> None:
    clock = Clock()
    with open_small(tmp_path, retain_s=600, clock=clock) as journal:
        ends = append_all(journal, range(5), ONE_A_SEGMENT)
        journal.release(ends[4])
        clock.now_s += 300
        journal.release(ends[0])
        clock.now_s += 10_000
        journal.release(ends[0])
        assert drain(journal, ends[0]).numbers == [1, 2, 3, 4]
        assert journal.bytes_used == ends[4] - journal.head


def test_reading_before_the_head_reports_what_is_missing(tmp_path: Path) -> None:
    with open_small(tmp_path, retain_s=0) as journal:
        ends = append_all(journal, range(4), ONE_A_SEGMENT)
        journal.release(ends[1])
        found = drain(journal, 0)
        assert found.numbers == [2, 3]
        (damage,) = found.damaged
        assert (damage.kind, damage.position, damage.length) == ("missing", 0, ends[1])
        assert drain(journal).damaged == []
    with open_small(tmp_path) as journal:
        assert drain(journal, ends[1]).damaged == []
        assert [damage.kind for damage in drain(journal, 0).damaged] == ["missing"]


def test_after_a_restart_everything_is_kept_until_the_release_is_repeated(tmp_path: Path) -> None:
    clock = Clock()
    with open_small(tmp_path, clock=clock) as journal:
        ends = append_all(journal, range(5), ONE_A_SEGMENT)
        journal.release(ends[-1])
    clock.now_s += 10_000
    with open_small(tmp_path, clock=clock) as journal:
        assert drain(journal).numbers == [0, 1, 2, 3, 4]
        assert journal.bytes_used > 0
        journal.release(ends[-1])
        assert journal.bytes_used == 0
        clock.now_s += 600
        journal.release(ends[-1])
        assert drain(journal).numbers == [4]


def test_segments_are_used_again_and_nothing_of_their_former_life_shows(tmp_path: Path) -> None:
    with open_small(tmp_path, bytes_max=4 * SEGMENT_BYTES, retain_s=0) as journal:
        position = 0
        for number in range(60):
            end = append_when_there_is_room(journal, number)
            found = drain(journal, position)
            assert (found.numbers, found.damaged) == ([number], [])
            journal.release(end)
            position = end
        before = drain(journal).numbers
    assert len(list(tmp_path.glob("*.s*"))) <= 4
    with open_small(tmp_path, bytes_max=4 * SEGMENT_BYTES) as journal:
        found = drain(journal)
        assert (found.numbers, found.damaged) == (before, [])
    assert list((tmp_path / "damaged").iterdir()) == []


def test_a_recycled_segment_is_not_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeroed: list[int] = []
    zero_at = files.zero_at

    def counted(fd: int, offset: int, length: int) -> None:
        zeroed.append(length)
        zero_at(fd, offset, length)

    monkeypatch.setattr(files, "zero_at", counted)
    with open_small(tmp_path, bytes_max=4 * SEGMENT_BYTES, retain_s=0) as journal:
        for number in range(40):
            journal.release(append_when_there_is_room(journal, number))
    assert len(zeroed) <= 8


def test_a_segment_being_read_is_not_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_small(tmp_path, retain_s=0, bytes_max=4 * SEGMENT_BYTES) as journal:
        ends = append_all(journal, range(3), ONE_A_SEGMENT)
        read_at = files.read_at

        def release_meanwhile(fd: int, into: memoryview, offset: int) -> None:
            journal.release(ends[2])
            assert journal.head == 0
            read_at(fd, into, offset)

        monkeypatch.setattr(files, "read_at", release_meanwhile)
        window = journal.read(0, records_max=100, bytes_max=1 << 20)
        assert window is not None
        assert (len(window), window.damaged) == (1, [])
        monkeypatch.undo()
        journal.release(ends[2])
        assert journal.head > ends[0]


def test_an_oversize_entry_that_finds_no_room_is_refused_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    with open_small(tmp_path, bytes_max=8 * SEGMENT_BYTES) as journal:
        append_all(journal, range(7), ONE_A_SEGMENT)
        future = journal_future(journal, entry_number=51, body_bytes=journal.entry_bytes_max)
        assert isinstance(future.exception(WAIT_S), OverloadedError)
        append_when_there_is_room(journal, 7)
        assert drain(journal).numbers == list(range(8))


def test_an_oversize_entry_gets_the_place_of_a_segment_that_only_waits_to_be_used_again(
    tmp_path: Path,
) -> None:
    with open_small(tmp_path, bytes_max=8 * SEGMENT_BYTES, retain_s=0) as journal:
        ends = append_all(journal, range(7), ONE_A_SEGMENT)
        journal.release(ends[0])
        while not list(tmp_path.glob("*.spare")):
            threading.Event().wait(0.01)
        assert settled(journal, 8 * SEGMENT_BYTES)
        end = journal.append(entry_of(9, journal.entry_bytes_max)).result(WAIT_S)
        assert drain(journal, ends[0]).numbers == [1, 2, 3, 4, 5, 6, 9]
        assert journal.tail == end


def journal_future(journal: Journal, entry_number: int, body_bytes: int) -> Future[int]:
    """The append's future, whether the refusal comes at once or later."""
    try:
        return journal.append(entry_of(entry_number, body_bytes))
    except OverloadedError as error:
        refused: Future[int] = Future()
        refused.set_exception(error)
        return refused


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_refuses_and_goes_on_when_space_returns(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with Journal.open(
        small_disk / "journal", segment_bytes=64 << 10, bytes_max=64 << 20
    ) as journal:
        append_all(journal, range(3), ONE_A_SEGMENT)
        filler.write_bytes(bytes(512 << 10))
        acknowledged = [*range(3), *fill(journal, 3)]
        with pytest.raises(OverloadedError, match="No space left"):
            fill_one_more(journal)
        assert drain(journal).numbers == acknowledged
        filler.unlink()
        append_when_there_is_room(journal, len(acknowledged))
        acknowledged.append(len(acknowledged))
        assert drain(journal).numbers == acknowledged
    with Journal.open(small_disk / "journal", segment_bytes=64 << 10, bytes_max=64 << 20) as again:
        found = drain(again)
        assert (found.numbers, found.damaged) == (acknowledged, [])


def fill_one_more(journal: Journal) -> None:
    journal.append(entry_of(999, ONE_A_SEGMENT)).result(WAIT_S)


def test_a_journal_opens_on_a_full_disk(small_disk: Path) -> None:
    with Journal.open(small_disk / "j", segment_bytes=64 << 10, bytes_max=1 << 20) as journal:
        append_all(journal, range(3), ONE_A_SEGMENT)
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    flip(segment_files(small_disk / "j")[0], 200)  # and damage cannot even be set aside
    with Journal.open(small_disk / "j", segment_bytes=64 << 10, bytes_max=1 << 20) as journal:
        assert drain(journal).numbers == [1, 2]


def test_released_segments_are_given_up_when_the_disk_is_full(small_disk: Path) -> None:
    with Journal.open(small_disk / "j", segment_bytes=64 << 10, bytes_max=64 << 20) as journal:
        count = len(fill(journal))
        ends = drain(journal, bytes_max=1).ends
        journal.release(ends[-1])
        append_when_there_is_room(journal, count)
        assert drain(journal, ends[-1]).numbers == [count]
