"""Against a list: whatever is appended, read, released and reopened, in any order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crucible_collector.errors import OverloadedError
from crucible_collector.journal import Journal
from journals import SEGMENT_BYTES, WAIT_S, entry_of, numbers_of, open_small


class JournalAgainstList(RuleBasedStateMachine):
    """`acknowledged` is what the journal has promised: (end position, number), in order."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="journal-"))
        self.acknowledged: list[tuple[int, int]] = []
        self.now_s = 0.0
        self.position = 0
        self.released = 0
        self.next_number = 0
        self.journal: Journal

    @initialize()
    def open(self) -> None:
        self.journal = open_small(
            self.directory,
            bytes_max=12 * SEGMENT_BYTES,
            retain_s=100,
            clock=lambda: self.now_s,
        )

    @rule(sizes=st.lists(st.sampled_from([8, 60, 100, 1000, 4000, 8000, 20_000]), max_size=12))
    def append(self, sizes: list[int]) -> None:
        futures = []
        for size in sizes:
            number = self.next_number
            self.next_number += 1
            try:
                futures.append((self.journal.append(entry_of(number, size)), number))
            except OverloadedError:
                continue
        for future, number in futures:
            if not isinstance(future.exception(WAIT_S), OverloadedError):
                self.acknowledged.append((future.result(), number))
        self.acknowledged.sort()

    @rule(records_max=st.integers(0, 20), bytes_max=st.sampled_from([0, 500, 5000, 1 << 20]))
    def read(self, records_max: int, bytes_max: int) -> None:
        window = self.journal.read(self.position, records_max=records_max, bytes_max=bytes_max)
        if window is None:
            assert not [end for end, _ in self.acknowledged if end > self.position]
            return
        expected = [n for end, n in self.acknowledged if self.position < end <= window.end]
        assert window.damaged == []
        assert numbers_of(window) == expected != []
        self.position = window.end

    @rule()
    def release(self) -> None:
        self.released = self.position
        self.journal.release(self.position)

    @rule(passed_s=st.sampled_from([1, 50, 100]))
    def pass_time(self, passed_s: int) -> None:
        self.now_s += passed_s
        self.journal.release(self.released)

    @precondition(lambda self: self.position > self.released)
    @rule()
    def go_back(self) -> None:
        """As after a transaction that failed."""
        self.position = self.released

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.open()
        self.position = max(self.released, self.journal.head)

    @invariant()
    def nothing_unreleased_is_gone(self) -> None:
        if self.acknowledged:
            assert self.journal.tail == self.acknowledged[-1][0]
        assert self.journal.disk_bytes <= 12 * SEGMENT_BYTES

    def teardown(self) -> None:
        self.position = self.released
        remaining = [n for end, n in self.acknowledged if end > self.released]
        found: list[int] = []
        while (
            window := self.journal.read(self.position, records_max=9, bytes_max=9000)
        ) is not None:
            found += numbers_of(window)
            self.position = window.end
        assert found == remaining
        self.journal.close()
        shutil.rmtree(self.directory)


TestJournalAgainstList = JournalAgainstList.TestCase
TestJournalAgainstList.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, derandomize=True
)
