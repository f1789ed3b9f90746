"""The bytes of a record and of a segment's header.

    segment = header (128) · record · record · …          everything begins at a multiple of 8
    record  = header (64) · refused indices (4 each) · reasons (1 each) · body · zeros up to 8

Segments are recycled without being wiped, so that any byte may be left from a former life. A record
counts only if its header carries its own position, which no former life can have had, and a right
CRC. Every CRC starts from the journal's random id: a sender who plants a perfect record in a
request's body, for a scan after damage to stumble over, would have to know it. The header has a CRC
of its own, so that a record whose body is damaged can still be counted and stepped over.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from uuid import UUID
from zlib import crc32

import numpy as np

from crucible_collector.journal.entry import DIGEST_BYTES, Entry
from crucible_collector.journal.files import Piece

ALIGNMENT = 8
FORMAT = 1

_POSITIONS = struct.Struct("<QQ")
_FIXED = struct.Struct("<qIIII16sBBH")
_RECORD = struct.Struct("<QQqIIII16sBBHI")  # positions, what is fixed, CRC
_CRC = struct.Struct("<I")
RECORD_HEADER_BYTES = _RECORD.size
_CHECKED_BYTES = RECORD_HEADER_BYTES - _CRC.size

RECORD_DTYPE = np.dtype(
    [
        ("position", "<u8"),
        ("synced_end", "<u8"),
        ("received_ns", "<i8"),
        ("body_bytes", "<u4"),
        ("refused_count", "<u4"),
        ("record_count", "<u4"),
        ("payload_crc", "<u4"),
        ("digest", "u1", (DIGEST_BYTES,)),
        ("signal", "u1"),
        ("flags", "u1"),
        ("format", "<u2"),
        ("crc", "<u4"),
    ]
)

_REFUSED_BYTES = 5  # index and reason

_SEGMENT = struct.Struct("<8s16sQQQQB7x")
_SEGMENT_MAGIC = b"crucjrn\x01"
SEGMENT_HEADER_BYTES = 128

# In the last bytes of a segment's header, written when the journal is closed.
_MARK = struct.Struct("<QI4x")
MARK_OFFSET = SEGMENT_HEADER_BYTES - _MARK.size


def aligned(length: int) -> int:
    return (length + ALIGNMENT - 1) & -ALIGNMENT


class RecordHeader(NamedTuple):
    """A record's header as it lies in the file."""

    position: int  # its own
    synced_end: int  # everything before this was on disk when the record was written
    received_ns: int
    body_bytes: int
    refused_count: int
    record_count: int
    payload_crc: int
    digest: bytes
    signal: int
    flags: int
    format: int
    crc: int

    @property
    def body_offset(self) -> int:
        """From the record's first byte."""
        return RECORD_HEADER_BYTES + _REFUSED_BYTES * self.refused_count

    @property
    def total_bytes(self) -> int:
        return aligned(self.body_offset + self.body_bytes)


class Framed(NamedTuple):
    """An entry made ready to be written anywhere: only its position is still to be known."""

    header: bytes  # without positions and CRC
    refused: bytes
    body: Piece
    total_bytes: int


def crc_seed(journal_id: UUID) -> int:
    """What the CRC of every record of this journal starts from."""
    return crc32(journal_id.bytes)


def frame(entry: Entry, seed: int) -> Framed:
    """Checksum the payload; the expensive part (70 µs for 170 kB), done by the appending thread.

    Raises ValueError for an entry that cannot be written, so that it harms nobody else's.
    """
    if len(entry.digest) != DIGEST_BYTES:
        raise ValueError(f"a digest has {DIGEST_BYTES} bytes, not {len(entry.digest)}")
    if len(entry.refused_index) != len(entry.refused_reason):
        raise ValueError("as many reasons as refused indices are needed")
    if memoryview(entry.body).nbytes != len(entry.body):
        raise ValueError("the body must be a view of bytes")
    refused = entry.refused_index.astype("<u4").tobytes() + entry.refused_reason.tobytes()
    try:
        header = _FIXED.pack(
            entry.received_ns,
            len(entry.body),
            len(entry.refused_index),
            entry.record_count,
            crc32(entry.body, crc32(refused, seed)),
            entry.digest,
            entry.signal,
            entry.flags,
            FORMAT,
        )
    except struct.error as error:
        raise ValueError(f"a number of the entry does not fit: {error}") from error
    total_bytes = aligned(RECORD_HEADER_BYTES + len(refused) + len(entry.body))
    return Framed(header, refused, entry.body, total_bytes)


def record_pieces(framed: Framed, position: int, synced_end: int, seed: int) -> list[Piece]:
    """The record's bytes, in pieces, without a copy of the body."""
    header = _POSITIONS.pack(position, synced_end) + framed.header
    head = header + _CRC.pack(crc32(header, seed)) + framed.refused
    padding = bytes(framed.total_bytes - len(head) - len(framed.body))
    return [piece for piece in (head, framed.body, padding) if len(piece)]


def read_record_header(view: memoryview, position: int, seed: int) -> RecordHeader | None:
    """The header that `view` begins with, or None if it is not one that belongs at `position`."""
    header = RecordHeader._make(_RECORD.unpack_from(view))
    if header.position != position or header.format != FORMAT:
        return None
    return header if crc32(view[:_CHECKED_BYTES], seed) == header.crc else None


def payload_is_intact(view: memoryview, header: RecordHeader, seed: int) -> bool:
    """`view` is the whole record."""
    end = header.body_offset + header.body_bytes
    return crc32(view[RECORD_HEADER_BYTES:end], seed) == header.payload_crc


class SegmentHeader(NamedTuple):
    """What a segment says about itself and about the one before it.

    `previous_end` is the point of it: only a successor knows where the data of a segment ended, and
    what lies beyond (the rest of a former life, or a batch whose sync failed and which nobody was
    promised) must never be taken for data. A journal's first segment names itself as its previous,
    with an end of 0.
    """

    journal_id: bytes
    base: int
    size_bytes: int
    previous_base: int
    previous_end: int
    recycled: bool  # otherwise everything that was never written is zero


def pack_segment_header(header: SegmentHeader) -> bytes:
    content = _SEGMENT.pack(_SEGMENT_MAGIC, *header)
    return (content + _CRC.pack(crc32(content))).ljust(SEGMENT_HEADER_BYTES, b"\0")


def read_segment_header(view: memoryview) -> SegmentHeader | None:
    """None if it is not a segment's header at all; whose it is, is for the caller to look at."""
    magic, journal_id, base, size, previous_base, previous_end, recycled = _SEGMENT.unpack_from(
        view
    )
    (crc,) = _CRC.unpack_from(view, _SEGMENT.size)
    if magic != _SEGMENT_MAGIC or crc != crc32(view[: _SEGMENT.size]):
        return None
    return SegmentHeader(journal_id, base, size, previous_base, previous_end, recycled == 1)


def pack_mark(synced_end: int, seed: int) -> bytes:
    """Says that everything before `synced_end` was on disk: what lies there is never torn."""
    return _MARK.pack(synced_end, crc32(synced_end.to_bytes(8, "little"), seed))


def read_mark(view: memoryview, seed: int) -> int:
    """The position that a mark says was synced, or 0 where there is none."""
    synced_end, crc = _MARK.unpack_from(view)
    return int(synced_end) if crc == crc32(synced_end.to_bytes(8, "little"), seed) else 0
