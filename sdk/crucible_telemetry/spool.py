"""Keeps requests on disk while the collector is away, for this process and for the next one.

    <root>/<destination>/<process>/000000000042.traces.512    one request: number, signal, records

What a reader could not guess:

- A directory belongs to the process that holds the lock on its file `lock`. The kernel lets go of it
  however the process ends; who gets it next, adopts what is there. So no two live processes send the
  same file, and nothing has to be tidied up after `kill -9`.
- A request that was on its way when its sender died is sent again, with the same bytes, by which the
  collector recognises it for 7 days. After that it would be stored twice; timestamps older than 30
  days the collector rejects, counted. What nobody has fetched for 30 days is deleted.
- Data for one endpoint is never sent to another: each has a directory of its own.
- Nothing is synced: files survive a killed process, but the last ones not a power cut. A file that
  is not whole is set aside, counted, and the next one goes.
- `bytes_max` is for the root, over all processes, and counts whole disk blocks. Each looks at the
  others' share only now and then, so several that spool at once may exceed it for some seconds.

Only the delivery thread calls this, or, once that is given up, the thread that closes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from crucible_telemetry import faults
from crucible_telemetry.encoding import Encoded
from crucible_telemetry.faults import Fault
from crucible_telemetry.spool_files import (
    SET_ASIDE,
    Directory,
    Entry,
    body_of,
    delete_set_aside,
    disk_bytes,
    is_of_a_process,
    tree_bytes,
)

_ADOPT_INTERVAL_S = 30.0
_LOOK_INTERVAL_S = 30.0  # how long what other processes hold may go unseen
_FORGOTTEN_S = 30 * 86_400.0
_PLACE = re.compile("[0-9a-f]{16}")  # what a destination's directory is called


def default_root() -> Path:
    """Return the user's own directory for state, as the XDG base directory specification has it."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if Path(state).is_absolute():
        return Path(state) / "crucible-telemetry" / "spool"
    try:
        return Path.home() / ".local" / "state" / "crucible-telemetry" / "spool"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / f"crucible-telemetry-{os.getuid()}" / "spool"


@dataclass(frozen=True, slots=True)
class Stored:
    """A request that lies in the spool; `is_own` if this process recorded it."""

    parcel: Encoded
    is_own: bool
    entry: Entry


class Spool:
    """Requests on disk, oldest first: those adopted before our own."""

    def __init__(self, root: Path, destination: str, *, bytes_max: int) -> None:
        self._root = root
        self._place = root / hashlib.sha256(destination.encode()).hexdigest()[:16]
        self._bytes_max = bytes_max
        self._own: Directory | None = None
        self._adopted: deque[Directory] = deque()
        self._adopt_at_s = 0.0
        self._others_bytes = 0
        self._look_at_s = 0.0
        self._lost_count = 0

    def __bool__(self) -> bool:
        return bool(self._adopted) or (self._own is not None and bool(self._own.entries))

    def put(self, parcel: Encoded) -> None:
        """Write a request behind the others; the oldest go if there is no room for it.

        Raises OSError where the disk does not take it.
        """
        try:
            self._put(parcel)
        except FileNotFoundError:  # somebody has removed the directory under us: a new one
            if self._own is None:
                raise
            self._lost_count += sum(entry.count for entry in self._own.entries)
            self._own.forget()
            self._own = None
            self._put(parcel)

    def oldest(self) -> Stored | None:
        """Return the request that is to be sent next; files that are not whole are set aside."""
        while self:
            is_own = not self._adopted
            directory = self._adopted[0] if self._adopted else self._own
            if directory is None:
                return None
            if directory.entries:
                entry = directory.entries[0]
                body = body_of(entry.path)
                if body is not None:
                    return Stored(Encoded(entry.signal, body, entry.count), is_own, entry)
                faults.note(
                    Fault.SPOOL_FILE,
                    "%s is not whole and set aside: %s",
                    entry.path.name,
                    entry.path,
                )
                self._lose(directory.set_oldest_aside(), is_own=is_own)
            self._release_emptied()
        return None

    def remove(self, stored: Stored) -> bool:
        """Delete what `oldest()` returned: it has been sent, or never will be.

        False if it is gone already, for want of room.
        """
        for directory in (*self._adopted, self._own):
            if directory and directory.entries and directory.entries[0] is stored.entry:
                directory.drop_oldest()
                self._release_emptied()
                return True
        return False

    def take_lost_count(self) -> int:
        """Return how many of our own records were lost on disk since the last call."""
        lost, self._lost_count = self._lost_count, 0
        return lost

    def adopt(self) -> None:
        """Take over what dead processes have left for this destination; looks every 30 s at most."""
        now_s = time.monotonic()
        if now_s < self._adopt_at_s:
            return
        self._adopt_at_s = now_s + _ADOPT_INTERVAL_S
        for path in _directories(self._place):
            held = [directory.path for directory in self._adopted]
            if not is_of_a_process(path) or path in held or (self._own and path == self._own.path):
                continue
            directory = Directory.adopt(path)
            if directory is None:
                continue
            if directory.entries:
                self._adopted.append(directory)
            else:
                directory.release()
        self._adopted = deque(sorted(self._adopted, key=lambda each: each.age_key))
        _delete_forgotten(self._root)

    def close(self) -> None:
        """Let go of everything; what is left waits for the next process."""
        for directory in (*self._adopted, *([self._own] if self._own else [])):
            directory.release()
        self._adopted.clear()
        self._own = None

    def after_fork(self) -> None:
        """In a forked child: all of it is the parent's. The child begins with nothing."""
        for directory in (*self._adopted, *([self._own] if self._own else [])):
            directory.forget()
        self._adopted = deque()
        self._own = None
        self._adopt_at_s = self._look_at_s = 0.0
        self._lost_count = 0

    def _put(self, parcel: Encoded) -> None:
        if self._own is None:
            self._own = Directory.create(self._place)
        self._make_room(disk_bytes(len(parcel.body)))
        self._own.append(parcel)

    def _make_room(self, wanted_bytes: int) -> None:
        self._look()
        if self._others_bytes + wanted_bytes > self._bytes_max:
            raise OSError(
                errno.ENOSPC, "the spool is full of other processes' data", str(self._root)
            )
        while self._held_bytes() + self._others_bytes + wanted_bytes > self._bytes_max:
            if self._adopted:
                self._adopted[0].drop_oldest()
                self._release_emptied()
            elif self._own is not None:
                self._lose(self._own.drop_oldest(), is_own=True)
            faults.note(
                Fault.SPOOL_FULL,
                "The spool is full (%d bytes); the oldest requests go",
                self._bytes_max,
            )

    def _held_bytes(self) -> int:
        own_bytes = 0 if self._own is None else self._own.disk_bytes
        return own_bytes + sum(directory.disk_bytes for directory in self._adopted)

    def _look(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + _LOOK_INTERVAL_S
            on_disk = sum(tree_bytes(place) for place in _places(self._root))
            self._others_bytes = max(0, on_disk - self._held_bytes())

    def _release_emptied(self) -> None:
        while self._adopted and not self._adopted[0].entries:
            self._adopted.popleft().release()

    def _lose(self, entry: Entry, *, is_own: bool) -> None:
        if is_own:
            self._lost_count += entry.count


def _directories(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def _places(root: Path) -> list[Path]:
    """Return the destinations of a root; it may be a directory that holds other things, too."""
    return [path for path in _directories(root) if _PLACE.fullmatch(path.name)]


def _delete_forgotten(root: Path) -> None:
    """Delete what has lain for 30 days: endpoints that are no more, files that were set aside.

    Only files that the spool itself has written, by their names, and directories that are empty.
    """
    limit_s = time.time() - _FORGOTTEN_S
    for place in _places(root):
        for path in _directories(place):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime > limit_s:
                    continue
                if path.name == SET_ASIDE:
                    delete_set_aside(path)
                elif is_of_a_process(path) and (directory := Directory.adopt(path)) is not None:
                    while directory.entries:
                        directory.drop_oldest()
                    directory.release()
