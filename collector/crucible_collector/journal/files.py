"""The few things that the journal asks of the operating system.

A read never fails for a bad sector or a short file: what cannot be read comes back as zeros, which
no checksum accepts, so that damage is found in one place.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

Piece = bytes | memoryview

PAGE_BYTES = 4096
ZEROS = memoryview(bytes(1 << 20))

_IOV_MAX = os.sysconf("SC_IOV_MAX") if "SC_IOV_MAX" in os.sysconf_names else 16

if sys.platform == "darwin":
    import fcntl

    def sync_data(fd: int) -> None:
        """Wait until the file's bytes are on the medium (fsync stops at the drive's cache there)."""
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
else:

    def sync_data(fd: int) -> None:
        """Wait until the file's bytes are on the medium."""
        os.fdatasync(fd)


def pages(length: int) -> int:
    """`length` rounded up to whole pages."""
    return -(-length // PAGE_BYTES) * PAGE_BYTES


def sync_directory(directory: Path) -> None:
    """Wait until names created, renamed or removed in `directory` are on the medium."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_at(fd: int, pieces: Sequence[Piece], offset: int) -> int:
    """Write all pieces one after another from `offset`; the bytes written. Raises OSError."""
    written_all = 0
    for first in range(0, len(pieces), _IOV_MAX):
        waiting = [memoryview(piece) for piece in pieces[first : first + _IOV_MAX]]
        while waiting:
            written = os.pwritev(fd, waiting, offset + written_all)
            written_all += written
            waiting = _after(waiting, written)
    return written_all


def _after(pieces: list[memoryview], written: int) -> list[memoryview]:
    """What is left of `pieces` once `written` bytes are gone (a write may stop short)."""
    for index, piece in enumerate(pieces):
        if written < len(piece):
            return [piece[written:], *pieces[index + 1 :]]
        written -= len(piece)
    return []


def zero_at(fd: int, offset: int, length: int) -> None:
    """Write zeros, not a hole: blocks that were written once need no metadata to be synced again.

    Synced slice by slice, so that a sync of somebody else's never queues behind all of it.
    """
    while length > 0:
        count = write_at(fd, [ZEROS[:length]], offset)
        offset += count
        length -= count
        sync_data(fd)


def read_at(fd: int, into: memoryview, offset: int) -> None:
    """Fill `into` from `offset`; zeros where the file ends early or the medium cannot be read."""
    done = 0
    while done < len(into):
        try:
            count = os.preadv(fd, [into[done:]], offset + done)
        except OSError:
            count = _read_page(fd, into[done:], offset + done)
        if count == 0:
            into[done:] = bytes(len(into) - done)
            return
        done += count


def _read_page(fd: int, into: memoryview, offset: int) -> int:
    """Read at most to the next page boundary, as zeros if that page is what cannot be read."""
    length = min(len(into), PAGE_BYTES - offset % PAGE_BYTES)
    try:
        return os.preadv(fd, [into[:length]], offset)
    except OSError:
        into[:length] = bytes(length)
        return length


def write_new_file(path: Path, content: Piece) -> None:
    """Create `path` with `content` so that after a crash it is there whole or not at all."""
    draft = path.with_name(path.name + ".tmp")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_at(fd, [content], 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.rename(path)
    sync_directory(path.parent)
