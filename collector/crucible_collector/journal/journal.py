"""The door to the journal: append, read, release.

Two promises. A future that `append` gave out resolves only when the entry is on the medium. And
`read` never returns an entry that could still be lost, so that nothing is stored in the database
that the journal might not know after a crash of the machine.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from crucible_collector.errors import JournalError, TooLargeError
from crucible_collector.journal import directory as on_disk
from crucible_collector.journal import files
from crucible_collector.journal.allocate import Allocator
from crucible_collector.journal.commit import Committer
from crucible_collector.journal.damaged import DamagedBytes
from crucible_collector.journal.entry import Entry
from crucible_collector.journal.framing import (
    ALIGNMENT,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    crc_seed,
    frame,
)
from crucible_collector.journal.recover import recover
from crucible_collector.journal.segments import Segments
from crucible_collector.journal.window import Stretch, Window, read_window

_LOG = logging.getLogger("crucible.journal")

# Two segments (one in use, one ready) are all that an idle journal takes of a laptop's disk; the
# cost of going on to the next is lost in 16 MiB of writes. An entry that is larger gets a segment
# of its own size.
SEGMENT_BYTES = 16 << 20

# Below this a segment is mostly header and padding.
SEGMENT_BYTES_MIN = 8 << 10

# An outage of the database of more than an hour at 1 MB/s (3,000 spans of 331 bytes a second).
BYTES_MAX = 4 << 30

# How long segments stay after their release, so that a database set back in time is caught up.
RETAIN_S = 600.0


# The record header counts a body's bytes in 32 bits; no request comes near.
_OVERHEAD_BYTES = SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES
_ENTRY_BYTES_MAX = 1 << 30


class Journal:
    """A directory of segments with one holder. Opened by `open`, closed by `close`.

    `append` may be called from any thread, `read` and `wait` from one reader at a time.
    """

    def __init__(
        self,
        directory: Path,
        journal_id: uuid.UUID,
        segments: Segments,
        allocator: Allocator,
        aside: DamagedBytes,
        *,
        bytes_max: int,
        lock_fd: int,
    ) -> None:
        self.directory = directory
        self.journal_id = journal_id
        # Of a body with 5 bytes for each refused record. An entry larger than a segment has one to
        # itself, and that must find room beside the others.
        self.entry_bytes_max = (
            min(bytes_max // 4, _ENTRY_BYTES_MAX) - _OVERHEAD_BYTES
        ) & -ALIGNMENT
        self._seed = crc_seed(journal_id)
        self._segments = segments
        self._allocator = allocator
        self._committer = Committer(segments, journal_id.bytes, self._seed)
        self._aside = aside
        self._lock_fd = lock_fd
        self._is_closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        bytes_max: int = BYTES_MAX,
        retain_s: float = RETAIN_S,
        clock: Callable[[], float] = time.time,
    ) -> Journal:
        """Take the directory (created if need be), recover what it holds, start the two threads.

        `segment_bytes` is rounded up to pages and may change from one opening to the next;
        `bytes_max` bounds the segments' files together. Raises JournalLockedError if another
        process holds the directory, JournalError if it cannot be used.
        """
        segment_bytes = files.pages(max(segment_bytes, SEGMENT_BYTES_MIN))
        if bytes_max < 4 * segment_bytes:
            raise JournalError(
                f"the journal's limit of {bytes_max} bytes must allow for four segments "
                f"of {segment_bytes} bytes"
            )
        lock_fd = on_disk.lock(directory)
        try:
            aside = DamagedBytes(directory / "damaged")
            aside.open()
            journal_id = on_disk.identify(directory)
            segments = recover(directory, journal_id, segment_bytes, aside)
        except OSError as error:
            os.close(lock_fd)
            raise JournalError(f"the journal {directory} cannot be opened: {error}") from error
        except BaseException:
            os.close(lock_fd)
            raise
        allocator = Allocator(
            segments,
            directory,
            segment_bytes=segment_bytes,
            bytes_max=bytes_max,
            retain_s=retain_s,
            clock=clock,
        )
        journal = cls(
            directory, journal_id, segments, allocator, aside, bytes_max=bytes_max, lock_fd=lock_fd
        )
        journal._start()
        return journal

    def _start(self) -> None:
        self._allocator.start()
        self._committer.start()
        _LOG.info(
            "journal %s opened in %s: %d segments, positions %d to %d",
            self.journal_id,
            self.directory,
            len(self._segments.live),
            self.head,
            self.tail,
        )

    def close(self) -> None:
        """Write what was appended, then let go of the directory. Appends are refused from now on."""
        if self._is_closed:
            return
        self._is_closed = True
        self._committer.stop()
        self._allocator.stop()
        with self._segments.lock:
            self._segments.data.notify_all()
        os.close(self._lock_fd)
        _LOG.info("journal %s closed at position %d", self.journal_id, self.tail)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def head(self) -> int:
        """The oldest position that can be read."""
        with self._segments.lock:
            return self._segments.head

    @property
    def tail(self) -> int:
        """The end of what is durable."""
        with self._segments.lock:
            return self._segments.tail

    @property
    def bytes_used(self) -> int:
        """Bytes from what was last released to the tail."""
        with self._segments.lock:
            return self._segments.bytes_used

    @property
    def disk_bytes(self) -> int:
        """Size of the segments' files, those made ready and those kept after release included."""
        with self._segments.lock:
            return self._segments.disk_bytes

    @property
    def blocked(self) -> str:
        """Why there is no room for more; empty while there is."""
        with self._segments.lock:
            return self._segments.blocked or ""

    def append(self, entry: Entry) -> Future[int]:
        """Have an entry written; the future gives its end position once that is durable.

        Raises OverloadedError at once when there is no room, and sets it on the future when the
        room or the disk fails later; TooLargeError over `entry_bytes_max`; ValueError for an entry
        that is not well-formed. A future that is cancelled before its turn is not written.
        """
        framed = frame(entry, self._seed)
        if framed.total_bytes > self.entry_bytes_max + RECORD_HEADER_BYTES:
            raise TooLargeError(
                f"a body of {len(entry.body)} bytes, with the verdicts on its records, is more "
                f"than the journal takes ({self.entry_bytes_max})"
            )
        return self._committer.submit(framed)

    def read(
        self, position: int, *, records_max: int, bytes_max: int, until: int | None = None
    ) -> Window | None:
        """What lies at `position` and after it, up to the limits; None if nothing durable does.

        The first entry comes whatever its size. Reading a position again gives the same entries
        (the limits decide how many). `position` is one that a window ended at, or `head`; `until`
        is where such a window ended, to have just that one again.
        """
        segments = self._segments
        with segments.lock:
            segment = segments.covering(position)
            if segment is None:
                return None
            missing = segments.missing_before(segment, position)
            end = segment.end if until is None else min(segment.end, until)
            stretch = Stretch(position, segment, end, missing)
            segment.readers += 1
        try:
            return read_window(
                stretch, self._seed, self._aside, records_max=records_max, bytes_max=bytes_max
            )
        finally:
            with segments.lock:
                segment.readers -= 1
                segments.room.notify()

    def wait(self, position: int, timeout_s: float) -> bool:
        """Whether something durable lies beyond `position`, waiting for it if need be."""
        segments = self._segments
        with segments.lock:
            segments.data.wait_for(lambda: segments.tail > position or self._is_closed, timeout_s)
            return segments.tail > position

    def release(self, position: int) -> None:
        """Everything before `position` is in the database.

        Its segments go after `retain_s`, or when the limit presses. A smaller position than before
        is right after the database was set back: what is still there is kept again.
        """
        self._allocator.release(position)
