"""How the server's user gets at directories, and where a socket fits.

The kernel limits a socket's path to 107 bytes (103 on macOS), which a data directory deep in a home
easily exceeds; some file systems hold no sockets at all. Both fall back to a short private
directory under the system's temporary one.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from crucible_collector.errors import DatabaseError
from crucible_collector.store.account import Account

SOCKET_PATH_BYTES_MAX = 103 if sys.platform == "darwin" else 107


class Doorway:
    """A path to `directory` that `account` can follow: the plain one, or through a descriptor.

    Keep it open until the program that inherits `descriptors` is started.
    """

    def __init__(self, directory: Path, account: Account) -> None:
        self._directory = directory
        self._account = account
        self.path = str(directory)
        self.descriptors: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        if not self._account.drops or self._account.can_enter(self._directory):
            return self
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        self.descriptors = (descriptor,)
        self.path = f"/proc/self/fd/{descriptor}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


def socket_directory(directory: Path, account: Account, port: int) -> Path:
    """Return a directory for the server's socket that only `account` (and root) may enter."""
    inside = directory / "socket"
    inside.mkdir(mode=0o700, exist_ok=True)
    inside.chmod(0o700)
    account.own(inside)
    if _holds_socket(inside, port):
        return inside
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it private
        with suppress(OSError):
            made = Path(tempfile.mkdtemp(prefix="crucible-", dir=parent))
            account.own(made)
            if _holds_socket(made, port):
                return made
            made.rmdir()
    raise DatabaseError(
        f"no directory can hold the embedded database's socket: {inside} and the temporary "
        "directory have paths that are too long or do not allow sockets"
    )


def clear_socket(directory: Path, port: int) -> None:
    """Remove what a killed server left: its lock file names a pid that may be another's by now.

    Only when no server runs in the data directory, which the directory of the socket belongs to.
    """
    for name in (f".s.PGSQL.{port}", f".s.PGSQL.{port}.lock"):
        (directory / name).unlink(missing_ok=True)


def _holds_socket(directory: Path, port: int) -> bool:
    """Try it: bind a socket under a name as long as the real one."""
    real = str(directory / f".s.PGSQL.{port}")
    # A comma would be read as a second host, a quote as the end of the setting.
    if len(os.fsencode(real)) > SOCKET_PATH_BYTES_MAX or any(mark in real for mark in ',"'):
        return False
    probe = directory / f".s.probe.{port}"
    probe.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as attempt:
        try:
            attempt.bind(str(probe))
        except OSError:
            return False
    probe.unlink()
    return True
