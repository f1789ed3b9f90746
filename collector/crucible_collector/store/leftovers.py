"""End what a killed collector left behind: a PostgreSQL still running in the data directory.

A pid file cannot be trusted (after a reboot or in a fresh container its number belongs to somebody
else), so processes are recognised by what they are: a program called `postgres` whose working
directory is this data directory. Every process of a server has that, orphaned backends included.
The caller holds the journal's lock, so what is found belongs to nobody living.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from crucible_collector.errors import DatabaseError

PID_FILE = "postmaster.pid"
POLL_S = 0.02
# Fast shutdown writes a checkpoint, which a slow disk may take a while over; then, harder each time.
ESCALATION = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


def end(data: Path, log: logging.Logger) -> None:
    """End every server process that runs in `data` and remove the pid file they leave."""
    for number, patience_s in ESCALATION:
        running = server_processes(data)
        if not running:
            break
        log.warning(
            "ending a PostgreSQL left by an earlier collector (pids %s, %s)", running, number.name
        )
        for pid in _to_signal(data, running, number):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        _wait_gone(data, patience_s)
    if server_processes(data):
        raise DatabaseError(f"a PostgreSQL left running in {data} cannot be ended")
    (data / PID_FILE).unlink(missing_ok=True)


def server_processes(data: Path) -> list[int]:
    """Return the pids of PostgreSQL processes that work in `data`."""
    if Path("/proc/self/cwd").exists():
        return list(_by_working_directory(data))
    return list(_by_pid_file(data))


def _by_working_directory(data: Path) -> Iterator[int]:
    wanted = data.stat()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):  # gone meanwhile, a zombie, or another user's
            place = (entry / "cwd").stat()
            program = (entry / "exe").readlink().name.removesuffix(" (deleted)")
            if os.path.samestat(place, wanted) and program == "postgres":
                yield int(entry.name)


def _by_pid_file(data: Path) -> Iterator[int]:
    """Where there is no /proc (macOS): the pid file's process, if it is called postgres."""
    pid = _recorded_pid(data)
    if pid is None:
        return
    answer = subprocess.run(
        ["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    if Path(answer.stdout.strip()).name == "postgres":
        yield pid


def _recorded_pid(data: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int((data / PID_FILE).read_text().splitlines()[0])
    return None


def _to_signal(data: Path, running: list[int], number: signal.Signals) -> list[int]:
    """A living postmaster ends its children itself, in order; SIGKILL goes to everyone."""
    postmaster = _recorded_pid(data)
    if number is not signal.SIGKILL and postmaster in running:
        return [postmaster]
    return running


def _wait_gone(data: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while server_processes(data) and time.monotonic() < deadline:
        time.sleep(POLL_S)
