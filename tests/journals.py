"""Entries whose content follows from a number, and reading a journal back into those numbers."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crucible_collector.batch import Signal
from crucible_collector.journal import Damage, Entry, EntryFlag, Journal, Window

# Two pages: the smallest a journal makes, so that a few entries cross segments.
SEGMENT_BYTES = 8 << 10
WAIT_S = 30.0


def body_of(number: int, body_bytes: int = 100) -> bytes:
    """`number` and then bytes that no other number has."""
    seed = number.to_bytes(8, "little")
    return (seed + hashlib.shake_128(seed).digest(max(0, body_bytes - 8)))[: max(8, body_bytes)]


def entry_of(number: int, body_bytes: int = 100, record_count: int = 1) -> Entry:
    body = body_of(number, body_bytes)
    refused = number % 3
    return Entry(
        signal=Signal(1 + number % 3),
        body=body,
        received_ns=1_700_000_000_000_000_000 + number,
        digest=hashlib.sha256(body).digest()[:16],
        record_count=record_count,
        refused_index=np.arange(refused, dtype=np.uint32) * 7 + number,
        refused_reason=np.arange(refused, dtype=np.uint8) + 1,
        flags=EntryFlag(number % 2),
    )


def open_small(directory: Path, **settings: Any) -> Journal:
    """A journal with segments so small that tests cross them."""
    settings.setdefault("segment_bytes", SEGMENT_BYTES)
    settings.setdefault("bytes_max", 64 * SEGMENT_BYTES)
    return Journal.open(directory, **settings)


def append_all(journal: Journal, numbers: range, body_bytes: int = 100) -> list[int]:
    """Append, and wait until all of it is durable; the end positions."""
    futures: list[Future[int]] = [
        journal.append(entry_of(number, body_bytes)) for number in numbers
    ]
    return [future.result(WAIT_S) for future in futures]


@dataclass
class Drained:
    """What a reader found, entry by entry."""

    numbers: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # of windows
    damaged: list[Damage] = field(default_factory=list)


def drain(
    journal: Journal,
    position: int | None = None,
    *,
    records_max: int = 10_000,
    bytes_max: int = 1 << 20,
) -> Drained:
    """Read from `position` (or the head) until nothing is left, checking every field."""
    drained = Drained()
    position = journal.head if position is None else position
    while (
        window := journal.read(position, records_max=records_max, bytes_max=bytes_max)
    ) is not None:
        assert window.start == position < window.end <= journal.tail
        drained.numbers += numbers_of(window)
        drained.damaged += window.damaged
        drained.ends.append(window.end)
        position = window.end
    return drained


def numbers_of(window: Window) -> list[int]:
    """The entries' numbers; each must be what `entry_of` made of it, to the last field."""
    numbers = []
    for row in range(len(window)):
        body = window.buffer[
            window.body_offset[row] : window.body_offset[row] + window.body_length[row]
        ].tobytes()
        number = int.from_bytes(body[:8], "little")
        made = entry_of(number, len(body))
        refused = slice(window.refused_start[row], window.refused_start[row + 1])
        assert body == made.body
        assert window.signal[row] == made.signal
        assert window.received_ns[row] == made.received_ns
        assert window.digest[row].tobytes() == made.digest
        assert window.flags[row] == made.flags
        assert window.refused_index[refused].tolist() == made.refused_index.tolist()
        assert window.refused_reason[refused].tolist() == made.refused_reason.tolist()
        numbers.append(number)
    return numbers


def segment_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.segment"))


def flip(path: Path, offset: int, mask: int = 0x5A) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= mask
    path.write_bytes(content)
