"""Finds records in bytes that may have been damaged.

One record after another as long as all is well. Where no header fits, the next one is looked for at
every multiple of 8 by the one thing a header must carry, its own position: so damage costs nothing
but itself. Bytes are loaded as far as they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from crucible_collector.batch import U8
from crucible_collector.journal import files
from crucible_collector.journal.framing import (
    ALIGNMENT,
    RECORD_HEADER_BYTES,
    RecordHeader,
    aligned,
    payload_is_intact,
    read_record_header,
)

# Read-ahead: a window of 4,096 spans of 331 bytes is three of these.
_LOAD_BYTES = 512 * 1024


class Found(NamedTuple):
    """A stretch of the scanned range: a record, or damage."""

    offset: int
    length: int
    header: RecordHeader | None  # None: nothing readable
    intact: bool


class Scanner:
    """Walks the positions [start, end) of a segment, whose file is open as `fd`.

    Offsets count from `start`, rounded up to a record's alignment. `buffer` holds what has been
    loaded so far.
    """

    def __init__(self, fd: int, base: int, start: int, end: int, seed: int) -> None:
        self.origin = aligned(start)
        self.length = max(0, end - self.origin)
        self.buffer: U8 = np.empty(self.length, np.uint8)
        self._view = self.buffer.data
        self._fd = fd
        self._file_offset = self.origin - base
        self._loaded = 0
        self._seed = seed

    def header_at(self, offset: int) -> RecordHeader | None:
        """The header at `offset`, if one is there that belongs there."""
        if offset + RECORD_HEADER_BYTES > self.length:
            return None
        self._load(offset + RECORD_HEADER_BYTES)
        header = read_record_header(self._view[offset:], self.origin + offset, self._seed)
        if header is None or offset + header.total_bytes > self.length:
            return None
        return header

    def at(self, offset: int) -> Found:
        """What begins at `offset` (below `length`), verified."""
        header = self.header_at(offset)
        if header is None:
            return Found(offset, self._next_header(offset) - offset, None, intact=False)
        return self.verified(offset, header)

    def verified(self, offset: int, header: RecordHeader) -> Found:
        """The record of which `header` was found at `offset`."""
        end = offset + header.total_bytes
        self._load(end)
        intact = payload_is_intact(self._view[offset:end], header, self._seed)
        return Found(offset, header.total_bytes, header, intact)

    def __iter__(self) -> Iterator[Found]:
        offset = 0
        while offset < self.length:
            found = self.at(offset)
            yield found
            offset += found.length

    def content(self, found: Found) -> memoryview:
        """The bytes of a stretch."""
        self._load(found.offset + found.length)
        return self._view[found.offset : found.offset + found.length]

    def _next_header(self, offset: int) -> int:
        """The next offset after `offset` where a header is, or `length`. Reads all there is."""
        self._load(self.length)
        first = offset + ALIGNMENT
        words = self.buffer[first : first + (self.length - first) // ALIGNMENT * ALIGNMENT]
        positions = np.arange(len(words) // ALIGNMENT, dtype=np.uint64) * np.uint64(ALIGNMENT)
        own = positions + np.uint64(self.origin + first)
        for candidate in np.flatnonzero(words.view("<u8") == own):
            at = first + int(candidate) * ALIGNMENT
            if self.header_at(at) is not None:
                return at
        return self.length

    def _load(self, end: int) -> None:
        if end <= self._loaded:
            return
        end = min(self.length, max(end, self._loaded + _LOAD_BYTES))
        files.read_at(self._fd, self._view[self._loaded : end], self._file_offset + self._loaded)
        self._loaded = end
