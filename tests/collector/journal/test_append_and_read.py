"""What goes in comes out: whole, in order, and not before it is safe."""

from __future__ import annotations

import os
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crucible_collector.batch import Signal
from crucible_collector.errors import OverloadedError, TooLargeError
from crucible_collector.journal import Entry, EntryFlag, Journal, files
from journals import WAIT_S, append_all, drain, entry_of, open_small


class HeldSync:
    """Stands in for `files.sync_data`: holds every sync back until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sync = files.sync_data
        self._let_go = threading.Event()
        self.is_holding = threading.Event()
        self.count = 0
        monkeypatch.setattr(files, "sync_data", self._held)

    def _held(self, fd: int) -> None:
        self.count += 1
        self.is_holding.set()
        assert self._let_go.wait(WAIT_S)
        self._sync(fd)

    def let_go(self) -> None:
        self._let_go.set()


def warmed_up(directory: Path) -> Journal:
    """A journal with its first segment in use and the next one ready: nothing else syncs."""
    journal = Journal.open(directory, segment_bytes=1 << 20, bytes_max=4 << 20)
    append_all(journal, range(1))
    while len(list(directory.glob("*.segment"))) < 2:
        os.sched_yield()
    while (directory / "draft.tmp").exists():
        os.sched_yield()
    return journal


def test_every_field_comes_back_across_segments(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(300))
        assert drain(journal).numbers == list(range(300))


def test_an_empty_entry_that_only_counts_comes_back(tmp_path: Path) -> None:
    refused = Entry(
        Signal.LOGS, b"", 5, bytes(range(16)), 41, np.empty(0, np.uint32), np.empty(0, np.uint8),
        EntryFlag.REFUSED_WHOLE,
    )  # fmt: skip
    with open_small(tmp_path) as journal:
        end = journal.append(refused).result(WAIT_S)
        window = journal.read(0, records_max=1, bytes_max=1)
        assert window is not None
        assert (window.end, window.signal[0], window.body_length[0]) == (end, Signal.LOGS, 0)
        assert (window.record_count[0], window.flags[0]) == (41, EntryFlag.REFUSED_WHOLE)


def test_a_memoryview_is_as_good_as_bytes(tmp_path: Path) -> None:
    entry = entry_of(7)
    with open_small(tmp_path) as journal:
        journal.append(replace(entry, body=memoryview(bytearray(entry.body)))).result(WAIT_S)
        assert drain(journal).numbers == [7]


def test_nothing_lies_in_a_new_journal(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        assert (journal.head, journal.tail, journal.bytes_used) == (0, 0, 0)
        assert journal.read(0, records_max=10, bytes_max=1000) is None
        assert not journal.wait(0, timeout_s=0)


def test_a_window_is_one_read_only_buffer(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(5))
        window = journal.read(0, records_max=100, bytes_max=1 << 20)
    assert window is not None
    assert window.buffer.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        window.buffer[0] = 1


def test_limits_bound_a_window_but_never_empty_it(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(12))
        window = journal.read(0, records_max=5, bytes_max=1 << 20)
        assert window is not None
        assert len(window) == 5
        window = journal.read(0, records_max=0, bytes_max=0)
        assert window is not None
        assert len(window) == 1
        total_bytes = window.end - 128
        window = journal.read(0, records_max=100, bytes_max=3 * total_bytes + 30)
        assert window is not None
        assert 2 <= len(window) <= 3
        assert drain(journal, records_max=0, bytes_max=0).numbers == list(range(12))


def test_the_record_count_of_an_entry_is_what_limits_records(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        for number in range(4):
            journal.append(entry_of(number, record_count=512)).result(WAIT_S)
        window = journal.read(0, records_max=1024, bytes_max=1 << 20)
        assert window is not None
        assert window.record_count.tolist() == [512, 512]


def test_reading_again_gives_the_same(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(100))
        first = drain(journal, records_max=7)
        for start, end in zip([0, *first.ends], first.ends, strict=False):
            window = journal.read(start, records_max=7, bytes_max=1 << 20)
            assert window is not None
            assert window.end == end
        assert drain(journal, first.ends[3], records_max=7).ends == first.ends[4:]


def test_many_threads_append_and_each_entry_comes_back_once(tmp_path: Path) -> None:
    with open_small(tmp_path, bytes_max=256 << 13) as journal:
        with ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(lambda n: journal.append(entry_of(n)).result(WAIT_S), range(600)))
        numbers = drain(journal).numbers
    by_position = [number for _, number in sorted(zip(ends, range(600), strict=True))]
    assert numbers == by_position


def test_a_reader_sees_only_what_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warmed_up(tmp_path) as journal:
        end = journal.tail
        sync = HeldSync(monkeypatch)
        future = journal.append(entry_of(1))
        assert sync.is_holding.wait(WAIT_S)
        assert not future.done()
        assert not journal.wait(end, timeout_s=0)
        assert journal.read(end, records_max=10, bytes_max=1 << 20) is None
        sync.let_go()
        assert future.result(WAIT_S) > end
        assert drain(journal, end).numbers == [1]


def test_appends_that_wait_share_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warmed_up(tmp_path) as journal:
        sync = HeldSync(monkeypatch)
        first = journal.append(entry_of(1))
        assert sync.is_holding.wait(WAIT_S)
        others = [journal.append(entry_of(number)) for number in range(2, 502)]
        sync.let_go()
        for future in [first, *others]:
            future.result(WAIT_S)
        assert sync.count == 2
        assert drain(journal).numbers == list(range(502))


def test_a_cancelled_append_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warmed_up(tmp_path) as journal:
        sync = HeldSync(monkeypatch)
        being_written = journal.append(entry_of(1))
        assert sync.is_holding.wait(WAIT_S)
        waiting = journal.append(entry_of(2))
        last = journal.append(entry_of(3))
        assert waiting.cancel()
        assert not being_written.cancel()
        sync.let_go()
        last.result(WAIT_S)
        assert drain(journal).numbers == [0, 1, 3]
        with pytest.raises(CancelledError):
            waiting.result(WAIT_S)


def test_a_waiting_reader_is_woken(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal, ThreadPoolExecutor(1) as pool:
        woken = pool.submit(journal.wait, 0, WAIT_S)
        journal.append(entry_of(1))
        assert woken.result(WAIT_S)


def test_closing_wakes_a_waiting_reader(tmp_path: Path) -> None:
    journal = open_small(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(journal.wait, 0, WAIT_S)
        journal.close()
        assert not woken.result(WAIT_S / 2)


def test_closing_writes_what_was_appended(tmp_path: Path) -> None:
    journal = open_small(tmp_path)
    futures = [journal.append(entry_of(number)) for number in range(200)]
    journal.close()
    journal.close()
    assert all(future.done() and not future.exception() for future in futures)
    with pytest.raises(OverloadedError):
        journal.append(entry_of(200))
    with open_small(tmp_path) as journal:
        assert drain(journal).numbers == list(range(200))


@pytest.mark.parametrize(
    "broken",
    [
        replace(entry_of(1), digest=b"short"),
        replace(entry_of(1), refused_index=np.zeros(3, np.uint32)),
        replace(entry_of(1), record_count=-1),
        replace(entry_of(1), received_ns=1 << 63),
        replace(entry_of(1), body=memoryview(bytes(16)).cast("i")),
    ],
    ids=["digest", "reasons", "record_count", "received_ns", "body"],
)
def test_an_entry_that_is_not_well_formed_harms_no_other(tmp_path: Path, broken: Entry) -> None:
    with open_small(tmp_path) as journal:
        with pytest.raises(ValueError, match=r"."):
            journal.append(broken)
        append_all(journal, range(2, 4))
        assert drain(journal).numbers == [2, 3]


def test_an_entry_larger_than_a_segment_has_one_to_itself(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        append_all(journal, range(3))
        journal.append(entry_of(3, body_bytes=100_000)).result(WAIT_S)
        append_all(journal, range(4, 7))
        assert drain(journal, bytes_max=1000).numbers == list(range(7))
    with open_small(tmp_path) as journal:
        assert drain(journal).numbers == list(range(7))


def test_what_can_never_fit_is_too_large_and_what_just_fits_is_not(tmp_path: Path) -> None:
    with open_small(tmp_path) as journal:
        with pytest.raises(TooLargeError):
            journal.append(replace(entry_of(0), body=bytes(journal.entry_bytes_max + 1)))
        largest = body_bytes = journal.entry_bytes_max
        journal.append(entry_of(3, body_bytes)).result(WAIT_S)
        window = journal.read(0, records_max=1, bytes_max=1)
        assert window is not None
        assert window.body_length.tolist() == [largest]


def test_the_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "data" / "journal"
    with open_small(directory) as journal:
        append_all(journal, range(1))
        assert directory.stat().st_mode & 0o777 == 0o700
        assert (directory / "damaged").stat().st_mode & 0o777 == 0o700
        for path in directory.iterdir():
            if path.is_file() and path.suffix != ".tmp":  # which may be renamed at any moment
                assert path.stat().st_mode & 0o077 == 0, path
