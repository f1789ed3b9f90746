"""From the files of a former process to segments, their ends and a tail.

Only the newest segment is read whole. Where the data of an older one ended is in its successor's
header; if that header is damaged, the older one is read too. What was released is not known here:
everything is kept until the reader says again how far the database is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from crucible_collector.batch import Signal
from crucible_collector.errors import JournalError
from crucible_collector.journal import directory as on_disk
from crucible_collector.journal import files
from crucible_collector.journal.damaged import DamagedBytes
from crucible_collector.journal.entry import Damage
from crucible_collector.journal.framing import (
    MARK_OFFSET,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    crc_seed,
    read_mark,
)
from crucible_collector.journal.scan import Found, Scanner
from crucible_collector.journal.segments import Segment, Segments


@dataclass(slots=True)
class _File:
    """A segment's file as it was found."""

    path: Path
    base: int
    file_bytes: int
    header: SegmentHeader | None  # None: never used under this name, or damaged

    @property
    def size_bytes(self) -> int:
        if self.header is not None:
            return self.header.size_bytes
        return max(files.pages(self.file_bytes), files.PAGE_BYTES)


def recover(directory: Path, journal_id: UUID, segment_bytes: int, aside: DamagedBytes) -> Segments:
    """What the directory holds; a torn tail is set aside and wiped. Raises JournalError."""
    seed = crc_seed(journal_id)
    on_disk.remove_drafts(directory)
    found = [_look_at(path, journal_id) for path in on_disk.segment_paths(directory)]
    segments = Segments()
    while found and found[-1].header is None and not _has_records(found[-1], seed):
        segments.retired.append(_segment(found.pop()))
    for path in on_disk.spare_paths(directory):
        spare = _segment(_File(path, 0, path.stat().st_size, None))
        (segments.spares if spare.size_bytes == segment_bytes else segments.retired).append(spare)
    if found:
        is_whole = found[-1].header is not None and found[-1].file_bytes == found[-1].size_bytes
        segments.live = _chain(found, segments.retired, seed)
        newest = segments.live[-1]
        is_wiped = _settle_tail(newest, seed, aside)
        segments.next_base = newest.limit
        ends = [segment.end for segment in segments.live if segment.end > segment.start]
        segments.tail = ends[-1] if ends else segments.live[0].base
        segments.active = newest if is_whole and is_wiped else None
    return segments


def _look_at(path: Path, journal_id: UUID) -> _File:
    header = on_disk.header_of(path)
    if header is not None and header.journal_id != journal_id.bytes:
        raise JournalError(f"{path} belongs to another journal; move it out of the directory")
    base = int(path.stem)
    if header is not None and header.base != base:
        header = None  # recycled, and not used since
    return _File(path, base, path.stat().st_size, header)


def _segment(file: _File) -> Segment:
    header = file.header
    return Segment(
        path=file.path,
        base=file.base,
        size_bytes=file.size_bytes,
        recycled=header.recycled if header else True,
        end=file.base + SEGMENT_HEADER_BYTES,
        previous_base=header.previous_base if header else file.base,
        previous_end=header.previous_end if header else file.base,
    )


def _chain(found: list[_File], retired: list[Segment], seed: int) -> list[Segment]:
    """Follow the headers from the newest segment back; the oldest comes first in the result.

    What lies between a segment and the one that it names as its previous was abandoned with
    nothing in it that counts, and goes to `retired`.
    """
    live: list[Segment] = []
    end: int | None = found[-1].base + SEGMENT_HEADER_BYTES  # the newest one's is settled later
    while found:
        file = found.pop()
        segment = _segment(file)
        segment.end = _last_intact_end(_scan(segment, seed), segment) if end is None else end
        if live and live[0].missing_from is not None:
            live[0].missing_from = segment.end
        live.insert(0, segment)
        end = None
        if file.header is None:
            continue
        while found and found[-1].base > segment.previous_base:
            retired.append(_segment(found.pop()))
        if found and found[-1].base == segment.previous_base:
            end = segment.previous_end
        elif found:
            segment.missing_from = segment.base  # until the segment before is known
    return live


def _scanner(fd: int, segment: Segment, seed: int) -> Scanner:
    return Scanner(fd, segment.base, segment.start, segment.limit, seed)


def _has_records(file: _File, seed: int) -> bool:
    segment = _segment(file)
    fd = os.open(file.path, os.O_RDONLY)
    try:
        scanner = _scanner(fd, segment, seed)
        return scanner.length > 0 and scanner.at(0).length < scanner.length
    finally:
        os.close(fd)


def _scan(segment: Segment, seed: int) -> list[Found]:
    fd = os.open(segment.path, os.O_RDONLY)
    try:
        return list(_scanner(fd, segment, seed))
    finally:
        os.close(fd)


def _last_intact_end(found: list[Found], segment: Segment) -> int:
    ends = [segment.start + one.offset + one.length for one in found if one.intact]
    return ends[-1] if ends else segment.start


def _settle_tail(segment: Segment, seed: int, aside: DamagedBytes) -> bool:
    """Find where the data of the newest segment ends, and what is torn after it.

    Damage before that end stays where it is, for the reader to report. False if what is torn could
    not be wiped.
    """
    fd = os.open(segment.path, os.O_RDWR)
    try:
        scanner = _scanner(fd, segment, seed)
        found = list(scanner)
        segment.end = max(_last_intact_end(found, segment), _marked_end(fd, segment, seed))
        beyond = [one for one in found if scanner.origin + one.offset >= segment.end]
        length = _torn_bytes(scanner, beyond, segment)
        if length == 0:
            return True
        offset = segment.end - scanner.origin
        headers = [one.header for one in beyond if one.header is not None]
        damage = Damage(
            segment.end,
            length,
            "torn",
            Signal(headers[0].signal) if headers else None,
            sum(header.record_count for header in headers),
        )
        aside.set_aside(damage, scanner.buffer.data[offset : offset + length])
        files.zero_at(fd, segment.end - segment.base, length)
        files.sync_data(fd)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(fd)


def _marked_end(fd: int, segment: Segment, seed: int) -> int:
    """Where the data ended when the journal was last closed in this segment; 0 if it never was."""
    content = memoryview(bytearray(SEGMENT_HEADER_BYTES - MARK_OFFSET))
    files.read_at(fd, content, MARK_OFFSET)
    position = read_mark(content, seed)
    return position if segment.start <= position <= segment.limit else 0


def _torn_bytes(scanner: Scanner, beyond: list[Found], segment: Segment) -> int:
    """How far the bytes after the last intact record are visibly a record's, from segment.end."""
    end = segment.end - scanner.origin
    torn_end = end
    for one in beyond:
        content = scanner.content(one)
        if one.header is not None:
            torn_end = one.offset + one.length
        elif not segment.recycled:
            written = np.flatnonzero(np.frombuffer(content, np.uint8))
            if len(written):
                torn_end = one.offset + int(written[-1]) + 1
        elif int.from_bytes(content[:8], "little") == scanner.origin + one.offset:
            torn_end = one.offset + min(RECORD_HEADER_BYTES, one.length)
    return torn_end - end
