"""One process's directory of the spool: a file a request, and the lock that says whose it is.

What a reader could not guess: the lock is the open descriptor (`flock`), so a forked child that has
inherited it only closes it, and a directory whose lock file has been removed by its owner is over,
whoever then locks the removed file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import struct
import uuid
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crucible_telemetry.encoding import Encoded

try:
    import fcntl
except ImportError:  # Windows, which has no lock of this kind: there is no spool then
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = "lock"
SET_ASIDE = "set-aside"
_SIGNALS = ("traces", "metrics", "logs")
_HEADER = struct.Struct("<4sIQ")  # magic, CRC-32 and length of the body
_MAGIC = b"CSP1"
_BLOCK_BYTES = 4096
_PROCESS = re.compile(r"\d+-[0-9a-f]{12}")
_FILE_SET_ASIDE = re.compile(_PROCESS.pattern + r"-\d+\.[a-z]+\.\d+")
# Between its making and its locking, a directory looks like one that a dead process has left.
_CREATE_ATTEMPTS = 5


def is_possible() -> bool:
    """Whether this system has the locks that a spool needs."""
    return fcntl is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    path: Path
    signal: str
    count: int
    disk_bytes: int


class Directory:
    """One process's files, oldest first; ours as long as `lock_fd` is open."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self._lock_fd = lock_fd
        self._next_number = 0
        self.entries: deque[Entry] = deque(_entries(path))
        self.disk_bytes = sum(entry.disk_bytes for entry in self.entries)

    @property
    def age_key(self) -> tuple[float, str]:
        """What directories are sorted by: how old their oldest request is."""
        try:
            return self.entries[0].path.stat().st_mtime, self.path.name
        except (IndexError, OSError):
            return 0.0, self.path.name

    @classmethod
    def create(cls, parent: Path) -> Directory:
        """Make a directory of our own. Raises OSError."""
        for each in (parent.parent, parent):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_CREATE_ATTEMPTS):
            path = parent / f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
            path.mkdir(mode=0o700)
            with contextlib.suppress(FileNotFoundError):
                fd = _locked(path)
                if fd is not None:
                    return cls(path, fd)
        raise OSError(errno.EAGAIN, "another process takes what is made here", str(parent))

    @classmethod
    def adopt(cls, path: Path) -> Directory | None:
        """Take over a directory that nobody holds; None where somebody does, or it is another's."""
        try:
            if path.is_symlink() or not path.is_dir() or path.stat().st_uid != os.geteuid():
                return None
            fd = _locked(path)
        except OSError:
            return None
        return None if fd is None else cls(path, fd)

    def append(self, parcel: Encoded) -> None:
        """Write a request. Raises OSError; then nothing of it is left."""
        number, self._next_number = self._next_number, self._next_number + 1
        path = self.path / f"{number:012d}.{parcel.signal}.{parcel.count}"
        header = _HEADER.pack(_MAGIC, zlib.crc32(parcel.body), len(parcel.body))
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(fd, "wb", buffering=0) as file:  # noqa: PTH123 - of a descriptor
                _write(file.fileno(), header + parcel.body)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        entry = Entry(path, parcel.signal, parcel.count, disk_bytes(len(parcel.body)))
        self.entries.append(entry)
        self.disk_bytes += entry.disk_bytes

    def drop_oldest(self) -> Entry:
        entry = self._forget_oldest()
        with contextlib.suppress(OSError):
            entry.path.unlink()
        return entry

    def set_oldest_aside(self) -> Entry:
        """Put a file that is not whole where nobody trips over it; a person may want to see it."""
        entry = self._forget_oldest()
        aside = self.path.parent / SET_ASIDE
        with contextlib.suppress(OSError):
            aside.mkdir(mode=0o700, exist_ok=True)
            entry.path.rename(aside / f"{self.path.name}-{entry.path.name}")
        return entry

    def release(self) -> None:
        """Let go, and leave nothing behind if nothing is in it."""
        if not self.entries:
            with contextlib.suppress(OSError):
                (self.path / LOCK_NAME).unlink()
                self.path.rmdir()
        self.forget()

    def forget(self) -> None:
        """Close what a forked child has inherited; the parent's lock stays."""
        os.close(self._lock_fd)

    def _forget_oldest(self) -> Entry:
        entry = self.entries.popleft()
        self.disk_bytes -= entry.disk_bytes
        return entry


def is_of_a_process(path: Path) -> bool:
    """Whether a directory is called as `create` calls them: nothing else is ours to touch."""
    return _PROCESS.fullmatch(path.name) is not None


def delete_set_aside(directory: Path) -> None:
    """Delete the files that were set aside. Raises OSError where something else lies among them."""
    for path in directory.iterdir():
        if _FILE_SET_ASIDE.fullmatch(path.name):
            path.unlink()
    directory.rmdir()


def _locked(directory: Path) -> int | None:
    """Return a descriptor that holds the directory's lock, or None if another process does."""
    fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:
            return fd
    except BlockingIOError:
        pass
    except OSError:
        os.close(fd)
        raise
    os.close(fd)  # held by another, or emptied and removed by one in this moment
    return None


def _entries(directory: Path) -> Iterator[Entry]:
    """Yield the requests of a directory in the order in which they were written."""
    for path in sorted(directory.iterdir()):
        number, _, rest = path.name.partition(".")
        signal, _, count = rest.partition(".")
        if number.isdecimal() and signal in _SIGNALS and count.isdecimal():
            with contextlib.suppress(OSError):  # gone in this moment
                body_bytes = path.stat().st_size - _HEADER.size
                yield Entry(path, signal, int(count), disk_bytes(body_bytes))


def body_of(path: Path) -> bytes | None:
    """Return the body of a file, or None if it is not whole or not there."""
    try:
        content = path.read_bytes()
        magic, checksum, length = _HEADER.unpack_from(content)
    except (OSError, struct.error):
        return None
    body = content[_HEADER.size :]
    is_whole = magic == _MAGIC and length == len(body) and checksum == zlib.crc32(body)
    return body if is_whole else None


def _write(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def disk_bytes(body_bytes: int) -> int:
    """Return what a request takes of the disk, in whole blocks."""
    return -(-(body_bytes + _HEADER.size) // _BLOCK_BYTES) * _BLOCK_BYTES


def tree_bytes(root: Path) -> int:
    """Return what everything below a directory takes of the disk."""
    total = 0
    for directory, _, names in os.walk(root):
        for name in names:
            if name != LOCK_NAME:
                with contextlib.suppress(OSError):
                    file_bytes = Path(directory, name).stat().st_size
                    total += disk_bytes(file_bytes - _HEADER.size)
    return total
