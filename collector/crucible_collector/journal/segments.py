"""Which segments there are, and the state that the journal's threads share about them.

A position is a byte offset that only grows, over all segments: a segment owns [base, base + size),
and its file is named by its base. Between the end of one segment's data and the base of the next
lie positions that were never used; nobody else knows, a reader just goes on.

Everything in `Segments` is guarded by `lock`; its three conditions say who is woken: `work` the
committer, `room` the allocator, `data` the readers.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from crucible_collector.journal.framing import SEGMENT_HEADER_BYTES


@dataclass(slots=True, eq=False)
class Segment:
    """One file. `end` moves with every group commit; only what lies before it is data."""

    path: Path
    base: int
    size_bytes: int
    recycled: bool
    end: int
    previous_base: int  # see framing.SegmentHeader
    previous_end: int
    missing_from: int | None = None  # a file is gone that held data from here to previous_end
    released_s: float | None = None  # when all of it was released
    readers: int = 0  # while above 0 its file stays as it is
    recyclable: bool = True  # False: the disk failed on it

    @property
    def start(self) -> int:
        return self.base + SEGMENT_HEADER_BYTES

    @property
    def limit(self) -> int:
        """The first position that is no longer this segment's."""
        return self.base + self.size_bytes


@dataclass(slots=True)
class Segments:
    """The journal's segments from the oldest that can be read to the one made ready ahead."""

    live: list[Segment] = field(default_factory=list)  # oldest first
    active: Segment | None = None  # the last of live while it takes more
    prepared: Segment | None = None  # the next one: on disk, not yet used
    spares: list[Segment] = field(default_factory=list)  # to be recycled
    retired: list[Segment] = field(default_factory=list)  # to be made spares or deleted
    next_base: int = 0
    tail: int = 0
    released: int = 0
    wanted_bytes: int = 0  # an entry waits that needs a segment as large as this
    blocked: str | None = None  # why no segment can be made ready
    lock: threading.Lock = field(default_factory=threading.Lock)
    work: threading.Condition = field(init=False)
    room: threading.Condition = field(init=False)
    data: threading.Condition = field(init=False)

    def __post_init__(self) -> None:
        self.work = threading.Condition(self.lock)
        self.room = threading.Condition(self.lock)
        self.data = threading.Condition(self.lock)

    @property
    def head(self) -> int:
        return self.live[0].base if self.live else self.tail

    @property
    def bytes_used(self) -> int:
        """From what was released to the tail, the unused ends of segments included."""
        return max(0, self.tail - max(self.released, self.head))

    @property
    def disk_bytes(self) -> int:
        prepared = [self.prepared] if self.prepared else []
        return sum(
            segment.size_bytes
            for group in (self.live, prepared, self.spares, self.retired)
            for segment in group
        )

    @property
    def room_bytes(self) -> int:
        """What can be written without making another segment."""
        active = self.active.limit - self.active.end if self.active else 0
        prepared = self.prepared.limit - self.prepared.start if self.prepared else 0
        return active + prepared

    def covering(self, position: int) -> Segment | None:
        """The segment where a reader at `position` goes on, or None if nothing lies beyond."""
        for segment in self.live:
            if segment.end > max(position, segment.start):
                return segment
        return None

    def missing_before(self, segment: Segment, position: int) -> tuple[int, int] | None:
        """Data (first, end) that a reader at `position` should have met before `segment`."""
        first = position if segment is self.live[0] else segment.missing_from
        if first is None or max(first, position) >= segment.previous_end:
            return None
        return max(first, position), segment.previous_end

    def activate(self) -> None:
        """Go on in the prepared segment."""
        segment = self.prepared
        if segment is None:
            raise RuntimeError("there is no prepared segment")
        if self.live:
            segment.previous_base = self.live[-1].base
            segment.previous_end = self.live[-1].end
        self.live.append(segment)
        self.active = segment
        self.prepared = None
        self.next_base = segment.limit
        self.room.notify()

    def abandon(self, segment: Segment) -> None:
        """Write no more into `segment`, whose disk failed; what was synced in it stays."""
        segment.recyclable = False
        self.active = None
        if segment.end == segment.start:
            self.live.remove(segment)
            self.retired.append(segment)
        self.room.notify()

    def release(self, position: int, now_s: float) -> None:
        """Remember what is no longer needed; a smaller `position` than before takes some back."""
        self.released = position
        for segment in self.live:
            if segment.end > position or segment is self.active:
                segment.released_s = None
            elif segment.released_s is None:
                segment.released_s = now_s

    def retire_before(self, released_before_s: float) -> None:
        """Part with segments released by then, the oldest first: no hole must come between."""
        while self._oldest_released_by(released_before_s):
            self.retired.append(self.live.pop(0))

    def retire_oldest(self) -> bool:
        """Part with the oldest released segment whatever its age; False if there is none."""
        if not self._oldest_released_by(float("inf")):
            return False
        self.retired.append(self.live.pop(0))
        return True

    def _oldest_released_by(self, time_s: float) -> bool:
        if not self.live or self.live[0].readers > 0:
            return False
        released_s = self.live[0].released_s
        return released_s is not None and released_s <= time_s
