"""Records that the database refuses for good, kept for a person to look at.

One growing file with the journal's framing. The oldest are kept: the first refusals say what is
wrong, and a stream of them must not push those out. The collector never reads them again; iterate
over `DeadLetters.open(directory)` to look at them, while no collector runs there.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from crucible_collector.batch import Signal
from crucible_collector.errors import JournalError
from crucible_collector.journal import files
from crucible_collector.journal.entry import DIGEST_BYTES, Entry
from crucible_collector.journal.framing import (
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    crc_seed,
    frame,
    pack_segment_header,
    read_segment_header,
    record_pieces,
)
from crucible_collector.journal.scan import Found, Scanner

_LOG = logging.getLogger("crucible.journal")

_NAME = "dead-letters"
_LENGTHS = struct.Struct("<II")  # of reason and message, before them and the body

# A letter is a whole request: some fifteen hundred of a stock client's (170 kB).
DEAD_LETTER_BYTES_MAX = 256 << 20


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One request of which records were refused; `message` says which, and what was said of them."""

    signal: Signal
    set_aside_ns: int
    reason: str
    message: str
    body: bytes


class DeadLetters:
    """The file of one data directory. Whoever holds the journal's lock may write."""

    def __init__(
        self, path: Path, fd: int, seed: int, *, bytes_max: int, clock_ns: Callable[[], int]
    ) -> None:
        self.path = path
        self.count = 0
        self.dropped_count = 0  # since opening
        self._fd = fd
        self._seed = seed
        self._bytes_max = bytes_max
        self._clock_ns = clock_ns
        self._end = SEGMENT_HEADER_BYTES
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        bytes_max: int = DEAD_LETTER_BYTES_MAX,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> DeadLetters:
        """Open the file in `directory` (both created if need be); what is torn at its end goes."""
        path = directory / _NAME
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                files.write_new_file(path, _new_header())
            fd = os.open(path, os.O_RDWR)
        except OSError as error:
            raise JournalError(f"dead letters cannot be kept in {directory}: {error}") from error
        content = memoryview(bytearray(SEGMENT_HEADER_BYTES))
        files.read_at(fd, content, 0)
        header = read_segment_header(content)
        if header is None:
            os.close(fd)
            raise JournalError(f"{path} is damaged; move it away to go on without it")
        seed = crc_seed(uuid.UUID(bytes=header.journal_id))
        letters = cls(path, fd, seed, bytes_max=bytes_max, clock_ns=clock_ns)
        letters._recover()
        return letters

    def _recover(self) -> None:
        scanner = self._scanner(os.fstat(self._fd).st_size)
        intact = [found for found in scanner if found.intact]
        self.count = len(intact)
        if intact:
            self._end = scanner.origin + intact[-1].offset + intact[-1].length
        os.ftruncate(self._fd, self._end)

    def close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, signal: Signal, body: bytes, reason: str, message: str) -> bool:
        """Keep a request, durably; False if there is no room for it (which is logged once)."""
        reason_bytes, message_bytes = reason.encode(), message.encode(errors="replace")
        payload = b"".join(
            (
                _LENGTHS.pack(len(reason_bytes), len(message_bytes)),
                reason_bytes,
                message_bytes,
                body,
            )
        )
        digest = hashlib.sha256(payload).digest()[:DIGEST_BYTES]
        framed = frame(Entry(signal, payload, self._clock_ns(), digest, 1), self._seed)
        with self._lock:
            if self._end + framed.total_bytes > self._bytes_max:
                self._drop("its limit is reached")
                return False
            try:
                pieces = record_pieces(framed, self._end, self._end, self._seed)
                files.write_at(self._fd, pieces, self._end)
                files.sync_data(self._fd)
            except OSError as error:
                self._drop(error.strerror or str(error))
                return False
            self._end += framed.total_bytes
            self.count += 1
            return True

    def __iter__(self) -> Iterator[DeadLetter]:
        """The letters, the oldest first; damaged ones are left out."""
        with self._lock:
            scanner = self._scanner(self._end)
            found = [one for one in scanner if one.intact]
        for one in found:
            yield _letter(scanner, one)

    def _scanner(self, end: int) -> Scanner:
        return Scanner(self._fd, 0, SEGMENT_HEADER_BYTES, end, self._seed)

    def _drop(self, reason: str) -> None:
        self.dropped_count += 1
        if self.dropped_count == 1:
            _LOG.error("dead letters are no longer kept in %s: %s", self.path, reason)


def _new_header() -> bytes:
    return pack_segment_header(
        SegmentHeader(
            journal_id=uuid.uuid4().bytes,
            base=0,
            size_bytes=0,
            previous_base=0,
            previous_end=0,
            recycled=False,
        )
    )


def _letter(scanner: Scanner, found: Found) -> DeadLetter:
    header = found.header
    if header is None:
        raise ValueError("only an intact record is a letter")
    payload = scanner.content(found)[header.body_offset : header.body_offset + header.body_bytes]
    reason_bytes, message_bytes = _LENGTHS.unpack_from(payload)
    reason_end = _LENGTHS.size + reason_bytes
    message_end = reason_end + message_bytes
    return DeadLetter(
        Signal(header.signal),
        header.received_ns,
        str(payload[_LENGTHS.size : reason_end], "utf-8"),
        str(payload[reason_end:message_end], "utf-8"),
        bytes(payload[message_end:]),
    )
