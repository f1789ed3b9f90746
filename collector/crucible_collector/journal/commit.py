"""The thread that makes pending entries durable: one write and one sync for all that wait.

An entry is resolved only after its sync. If the write or the sync fails, nobody is told that it is
safe, and the segment is not written again: after a failed fsync the kernel may have dropped the
pages and call the next one a success (https://wiki.postgresql.org/wiki/Fsync_Errors). What was
synced in it before stays.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from crucible_collector import metrics
from crucible_collector.errors import OverloadedError
from crucible_collector.journal import files
from crucible_collector.journal.framing import (
    MARK_OFFSET,
    SEGMENT_HEADER_BYTES,
    Framed,
    SegmentHeader,
    pack_mark,
    pack_segment_header,
    record_pieces,
)
from crucible_collector.journal.segments import Segment, Segments

_LOG = logging.getLogger("crucible.journal")

# A group is bounded so that the first of many waiting entries is not answered after the last is
# written: 8 MiB take some 20 ms here.
_GROUP_BYTES_MAX = 8 << 20

# What may wait to be written. Above the receivers' own budget of bytes in flight, which rules.
_PENDING_BYTES_MAX = 128 << 20

RETRY_AFTER_S = 1.0


@dataclass(slots=True, eq=False)
class Pending:
    """An entry on its way to disk, and whoever waits for it."""

    framed: Framed
    future: Future[int] = field(default_factory=Future)

    @property
    def total_bytes(self) -> int:
        return self.framed.total_bytes


@dataclass(slots=True)
class _Group:
    """What is written together: into one segment, from `segment.end` on."""

    segment: Segment
    members: list[Pending]


class Committer:
    """Only writer of segments; moves `Segment.end` and `Segments.tail`.

    Started and stopped by the journal. Stopping drains: what was taken in is written or refused.
    """

    def __init__(self, segments: Segments, journal_id: bytes, seed: int) -> None:
        self._segments = segments
        self._journal_id = journal_id
        self._seed = seed
        self._pending: deque[Pending] = deque()
        self._pending_bytes = 0
        self._stopping = False
        self._fd = -1
        self._fd_base = -1
        self._thread = threading.Thread(target=self._run, name="journal-committer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._segments.lock:
            self._stopping = True
            self._segments.work.notify()
        self._thread.join()
        self._mark_end()
        self._close_file()

    def _mark_end(self) -> None:
        """Leave word of where the data ended, so that damage there is not taken for a torn write."""
        segment = self._segments.active
        if segment is None or segment.end == segment.start:
            return
        with contextlib.suppress(OSError):
            fd = self._file_of(segment)
            files.write_at(fd, [pack_mark(segment.end, self._seed)], MARK_OFFSET)
            files.sync_data(fd)

    def submit(self, framed: Framed) -> Future[int]:
        """Queue an entry. Raises OverloadedError if it is already clear that it cannot be kept."""
        pending = Pending(framed)
        segments = self._segments
        with segments.lock:
            waiting_bytes = self._pending_bytes + pending.total_bytes
            if self._stopping:
                raise OverloadedError("the collector is stopping", RETRY_AFTER_S)
            if segments.blocked and waiting_bytes > segments.room_bytes:
                raise _no_room(segments.blocked)
            if self._pending and waiting_bytes > _PENDING_BYTES_MAX:
                raise OverloadedError("the disk is slower than what arrives", RETRY_AFTER_S)
            self._pending.append(pending)
            self._pending_bytes = waiting_bytes
            segments.work.notify()
        return pending.future

    def _run(self) -> None:
        while True:
            group, refused, reason = self._take()
            for pending in refused:
                if pending.future.set_running_or_notify_cancel():
                    pending.future.set_exception(_no_room(reason))
            if group is not None:
                self._commit(group)
            elif not refused:
                return

    def _take(self) -> tuple[_Group | None, list[Pending], str]:
        """The next group, or entries for which there is no room, or neither when all is done."""
        segments = self._segments
        with segments.lock:
            while True:
                if not self._pending:
                    if self._stopping:
                        return None, [], ""
                    segments.work.wait()
                    continue
                members = self._fitting()
                if members and segments.active is not None:
                    return _Group(segments.active, members), [], ""
                if self._pending and not self._advance(self._pending[0].total_bytes):
                    if segments.blocked:
                        segments.wanted_bytes = 0
                        return None, [self._pop()], segments.blocked
                    segments.work.wait()

    def _fitting(self) -> list[Pending]:
        """Take what fits into the active segment, in order; entries given up meanwhile go."""
        active = self._segments.active
        if active is None:
            return []
        room = min(active.limit - active.end, max(_GROUP_BYTES_MAX, self._first_bytes()))
        members = []
        while self._pending and self._pending[0].total_bytes <= room:
            pending = self._pop()
            if pending.future.set_running_or_notify_cancel():
                members.append(pending)
                room -= pending.total_bytes
        return members

    def _first_bytes(self) -> int:
        return self._pending[0].total_bytes if self._pending else 0

    def _pop(self) -> Pending:
        pending = self._pending.popleft()
        self._pending_bytes -= pending.total_bytes
        return pending

    def _advance(self, total_bytes: int) -> bool:
        """Go on in the next segment if it is there and large enough; else ask for it."""
        segments = self._segments
        needed_bytes = total_bytes + SEGMENT_HEADER_BYTES
        prepared = segments.prepared
        if prepared is not None and prepared.size_bytes >= needed_bytes:
            segments.wanted_bytes = 0
            segments.activate()
            return True
        segments.wanted_bytes = needed_bytes
        segments.room.notify()
        return False

    def _commit(self, group: _Group) -> None:
        try:
            ends = self._write(group)
        except OSError as error:
            self._give_up(group, error.strerror or str(error))
        except Exception as error:  # noqa: BLE001 (outermost loop, counted)
            metrics.UNCAUGHT_ERRORS.labels("journal-committer").inc()
            _LOG.exception("the journal's committer failed")
            self._give_up(group, f"{type(error).__name__}: {error}")
        else:
            segments = self._segments
            with segments.lock:
                group.segment.end = segments.tail = ends[-1]
                segments.data.notify_all()
            for pending, end in zip(group.members, ends, strict=True):
                pending.future.set_result(end)

    def _write(self, group: _Group) -> list[int]:
        """Write and sync; the end position of each member."""
        segment = group.segment
        began_s = time.perf_counter()
        pieces: list[files.Piece] = []
        first = position = segment.end
        if segment.end == segment.start:
            first = segment.base
            pieces.append(self._header_of(segment))
        ends = []
        for pending in group.members:
            pieces += record_pieces(pending.framed, position, segment.end, self._seed)
            position += pending.total_bytes
            ends.append(position)
        fd = self._file_of(segment)
        files.write_at(fd, pieces, first - segment.base)
        files.sync_data(fd)
        metrics.JOURNAL_SYNCS.inc()
        metrics.JOURNAL_SYNC_SECONDS.observe(time.perf_counter() - began_s)
        return ends

    def _header_of(self, segment: Segment) -> bytes:
        return pack_segment_header(
            SegmentHeader(
                self._journal_id,
                segment.base,
                segment.size_bytes,
                segment.previous_base,
                segment.previous_end,
                segment.recycled,
            )
        )

    def _give_up(self, group: _Group, reason: str) -> None:
        """Refuse a group that could not be made durable, and leave its segment alone."""
        segment = group.segment
        _LOG.error("writing %s failed, going on in another segment: %s", segment.path.name, reason)
        # The successor's header says that nothing here counts. This is for a crash before that.
        with contextlib.suppress(OSError):
            length = sum(pending.total_bytes for pending in group.members)
            files.zero_at(self._file_of(segment), segment.end - segment.base, length)
        self._close_file()
        with self._segments.lock:
            self._segments.abandon(segment)
        for pending in group.members:
            pending.future.set_exception(
                OverloadedError(f"the journal could not be written: {reason}", RETRY_AFTER_S)
            )

    def _file_of(self, segment: Segment) -> int:
        if self._fd_base != segment.base:
            self._close_file()
            self._fd = os.open(segment.path, os.O_WRONLY)
            self._fd_base = segment.base
        return self._fd

    def _close_file(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd = self._fd_base = -1


def _no_room(reason: str) -> OverloadedError:
    return OverloadedError(f"the journal has no room: {reason}", RETRY_AFTER_S)
