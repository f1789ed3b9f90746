"""Reads a stretch of the journal: one buffer with the bytes of several entries, and arrays.

Python runs once an entry here (an entry is some hundred spans), never once a record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import I64, U8, Signal
from crucible_collector.journal.damaged import DamagedBytes
from crucible_collector.journal.entry import U32, Damage
from crucible_collector.journal.framing import RECORD_DTYPE, RECORD_HEADER_BYTES
from crucible_collector.journal.scan import Found, Scanner
from crucible_collector.journal.segments import Segment


@dataclass(slots=True, eq=False)
class Window:
    """The entries between two positions of the journal, all of them in one segment.

    One row an entry. A window may have no entry at all and yet move on, over damage.
    """

    start: int  # where the reader was
    end: int  # where it goes on once this window is committed
    buffer: U8  # contiguous, read-only
    signal: U8
    body_offset: I64  # into buffer
    body_length: I64
    received_ns: I64
    digest: U8  # (n, 16)
    record_count: I64
    flags: U8  # EntryFlag
    refused_start: I64  # (n + 1): slices of the two below
    refused_index: U32
    refused_reason: U8
    damaged: list[Damage]

    def __len__(self) -> int:
        return len(self.signal)


@dataclass(slots=True)
class Stretch:
    """What to read: decided under the journal's lock, then read without it."""

    position: int
    segment: Segment
    end: int  # the segment's durable end at that moment
    missing: tuple[int, int] | None


def read_window(
    stretch: Stretch, seed: int, aside: DamagedBytes, *, records_max: int, bytes_max: int
) -> Window:
    """At least one entry or damage, and as many more as the limits let in."""
    segment = stretch.segment
    start = max(stretch.position, segment.start)
    damaged = []
    if stretch.missing is not None:
        first, end = stretch.missing
        damage = Damage(first, end - first, "missing")
        aside.set_aside(damage, b"")
        damaged.append(damage)
    try:
        fd = os.open(segment.path, os.O_RDONLY)
    except FileNotFoundError:  # removed behind our back
        damage = Damage(start, stretch.end - start, "missing")
        aside.set_aside(damage, b"")
        return _window(stretch.position, stretch.end, np.empty(0, np.uint8), [], [*damaged, damage])
    entries: list[Found] = []
    length = 0
    try:
        scanner = Scanner(fd, segment.base, start, stretch.end, seed)
        for found in _within(scanner, records_max, bytes_max):
            if found.intact:
                entries.append(found)
            else:
                damage = _damage(scanner, found)
                aside.set_aside(damage, scanner.content(found))
                damaged.append(damage)
            length = found.offset + found.length
    finally:
        os.close(fd)
    return _window(
        stretch.position, scanner.origin + length, scanner.buffer[:length], entries, damaged
    )


def _within(scanner: Scanner, records_max: int, bytes_max: int) -> Iterator[Found]:
    """Entries and damage up to the limits; the first whatever its size."""
    offset = 0
    record_count = 0
    while offset < scanner.length:
        header = scanner.header_at(offset)
        if header is None:
            found = scanner.at(offset)
        else:
            record_count += header.record_count
            is_over = record_count > records_max or offset + header.total_bytes > bytes_max
            if offset > 0 and is_over:
                return
            found = scanner.verified(offset, header)
        yield found
        offset += found.length


def _damage(scanner: Scanner, found: Found) -> Damage:
    position = scanner.origin + found.offset
    if found.header is None:
        return Damage(position, found.length, "corrupt")
    signal = Signal(found.header.signal)
    return Damage(position, found.length, "corrupt", signal, found.header.record_count)


def _window(
    start: int, end: int, buffer: U8, entries: list[Found], damaged: list[Damage]
) -> Window:
    buffer.flags.writeable = False
    offset = np.array([found.offset for found in entries], np.int64)
    head = buffer[offset[:, None] + np.arange(RECORD_HEADER_BYTES)].view(RECORD_DTYPE)[:, 0]
    refused_count = head["refused_count"].astype(np.int64)
    refused_start = np.zeros(len(entries) + 1, np.int64)
    np.cumsum(refused_count, out=refused_start[1:])
    index, reason = _refused(buffer, entries)
    headers = [found.header for found in entries if found.header is not None]
    return Window(
        start=start,
        end=end,
        buffer=buffer,
        signal=head["signal"].copy(),
        body_offset=offset + np.array([header.body_offset for header in headers], np.int64),
        body_length=head["body_bytes"].astype(np.int64),
        received_ns=head["received_ns"].astype(np.int64),
        digest=head["digest"].copy(),
        record_count=head["record_count"].astype(np.int64),
        flags=head["flags"].copy(),
        refused_start=refused_start,
        refused_index=index,
        refused_reason=reason,
        damaged=damaged,
    )


def _refused(buffer: U8, entries: list[Found]) -> tuple[U32, U8]:
    """The refused records of all entries, one entry after another."""
    index = [np.empty(0, np.uint32)]
    reason = [np.empty(0, np.uint8)]
    for found in entries:
        header = found.header
        if header is None or header.refused_count == 0:
            continue
        first = found.offset + RECORD_HEADER_BYTES
        split = first + 4 * header.refused_count
        index.append(buffer[first:split].view("<u4"))
        reason.append(buffer[split : split + header.refused_count])
    return np.concatenate(index), np.concatenate(reason)
