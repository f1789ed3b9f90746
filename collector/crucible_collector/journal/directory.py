"""The directory of a journal: one holder at a time, and the random id that positions are kept by.

lock          held (flock) as long as the journal is open; holds the pid of the holder
identity      the id, written once; if it is damaged, every segment knows it too
<base>.segment, *.spare, draft.tmp      see allocate
damaged/      see damaged
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import uuid
from pathlib import Path
from zlib import crc32

from crucible_collector.errors import JournalError, JournalLockedError
from crucible_collector.journal import files
from crucible_collector.journal.allocate import DRAFT_NAME, SEGMENT_SUFFIX, SPARE_SUFFIX
from crucible_collector.journal.framing import (
    FORMAT,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    read_segment_header,
)

_LOG = logging.getLogger("crucible.journal")

_IDENTITY = "identity"


def lock(directory: Path) -> int:
    """Create the directory if need be and take its lock; the file descriptor that holds it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(f"the journal directory {directory} cannot be used: {error}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise JournalLockedError(
            f"the journal directory {directory} is in use by another collector"
            + (f" (process {holder})" if holder else "")
        ) from error
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def identify(directory: Path) -> uuid.UUID:
    """The id of the journal in `directory`; a new one if there is no journal yet."""
    path = directory / _IDENTITY
    journal_id = _read_identity(path) or _identity_of_segments(directory)
    if journal_id is None:
        if path.exists() and segment_paths(directory):
            raise JournalError(f"{path} is damaged, and no segment beside it says whose it is")
        journal_id = uuid.uuid4()
    elif _read_identity(path) == journal_id:
        return journal_id
    content = json.dumps(
        {"format": FORMAT, "journal_id": str(journal_id), "crc": crc32(journal_id.bytes)}
    )
    files.write_new_file(path, content.encode())
    return journal_id


def segment_paths(directory: Path) -> list[Path]:
    """Every segment's file, the oldest first."""
    return sorted(path for path in directory.glob(f"*{SEGMENT_SUFFIX}") if path.stem.isdecimal())


def spare_paths(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{SPARE_SUFFIX}"))


def remove_drafts(directory: Path) -> None:
    """What a former process had not finished."""
    (directory / DRAFT_NAME).unlink(missing_ok=True)
    (directory / f"{_IDENTITY}.tmp").unlink(missing_ok=True)


def header_of(path: Path) -> SegmentHeader | None:
    """What the file says about itself, whatever its name says."""
    content = memoryview(bytearray(SEGMENT_HEADER_BYTES))
    fd = os.open(path, os.O_RDONLY)
    try:
        files.read_at(fd, content, 0)
    finally:
        os.close(fd)
    return read_segment_header(content)


def _read_identity(path: Path) -> uuid.UUID | None:
    """None if the file is not there or says nothing understandable; a later format is an error."""
    try:
        content = json.loads(path.read_bytes())
        journal_id = uuid.UUID(content["journal_id"])
        written_format = int(content["format"])
        is_intact = content["crc"] == crc32(journal_id.bytes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if written_format != FORMAT:
        raise JournalError(
            f"the journal in {path.parent} has format {written_format}; this collector reads {FORMAT}"
        )
    return journal_id if is_intact else None


def _identity_of_segments(directory: Path) -> uuid.UUID | None:
    for path in reversed(segment_paths(directory)):
        header = header_of(path)
        if header is not None:
            _LOG.warning("the journal's identity was damaged; %s knew it", path.name)
            return uuid.UUID(bytes=header.journal_id)
    return None
