"""Collectors that begin where their modules and kernels are loaded already.

Loading those takes 2 s of a core, and the suite starts more than a hundred collectors. So one process
loads them and forks when it is told to: what comes of it is a process of its own, with arguments,
environment and output as given, whose signals and SIGKILL are its own. The process that forks has no
thread. What depends on how a process came to be (its user, its home, its kernels' cache) is started
anew instead: `harness.Collector.is_fresh`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

_MESSAGE_BYTES_MAX = 1 << 17
_CODE = struct.Struct("i")
_asking = threading.Lock()


class Forked:
    """What of subprocess.Popen the harness needs."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[str]
    ) -> None:
        told = {"arguments": arguments, "environment": dict(environment), "place": str(Path.cwd())}
        out, out_end = os.pipe()
        self._status, status_end = os.pipe()
        ends = [out_end, log.fileno(), status_end]
        with _asking:
            control = _forking()
            socket.send_fds(control, [json.dumps(told).encode()], ends)
            self.pid = int(control.recv(_MESSAGE_BYTES_MAX))
        os.close(out_end)
        os.close(status_end)
        self.stdout: IO[str] | None = os.fdopen(out, "r")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self._read_code()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._read_code()
        assert self.returncode is not None
        return self.returncode

    def _read_code(self) -> None:
        (self.returncode,) = _CODE.unpack(os.read(self._status, _CODE.size))
        os.close(self._status)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:  # or the id may be somebody else's
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def _forking() -> socket.socket:
    """The connection to the process that forks, which ends with this one."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-c", "import forked; forked.main()", str(other.fileno())]
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, pass_fds=[other.fileno()], env=environment)
    other.close()

    def end() -> None:
        own.close()
        process.wait()

    atexit.register(end)
    assert own.recv(_MESSAGE_BYTES_MAX) == b"loaded"
    return own


def main() -> None:
    """Be the process that forks."""
    from crucible_collector import cli, decode, service
    from crucible_collector.detect import warm as detect_kernels
    from crucible_collector.store import binary_copy

    control = socket.socket(fileno=int(sys.argv[1]))
    decode.warm_up(logging.getLogger(service.__name__))
    binary_copy.warm_up()
    detect_kernels.warm_up()
    gc.freeze()
    control.send(b"loaded")
    told = _fork_when_told(control)
    if told is not None:
        sys.argv = ["crucible-collector", *told]
        sys.exit(cli.main(told))


def _fork_when_told(control: socket.socket) -> list[str] | None:
    """Returns in a process that was forked, with its arguments; None once nobody tells any more."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    running: dict[int, int] = {}  # process id -> where its exit code is awaited
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, _MESSAGE_BYTES_MAX)
            _tell_who_ended(running)
        if control.fileno() not in ready:
            continue
        message, ends, _, _ = socket.recv_fds(control, _MESSAGE_BYTES_MAX, 3)
        if not message:
            break
        process = os.fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (woken, wake, ends[2], *running.values()):
                os.close(end)
            control.close()
            return _become(json.loads(message), *ends[:2])
        running[process] = ends[2]
        os.close(ends[0])
        os.close(ends[1])
        control.send(str(process).encode())
    for process in running:
        os.kill(process, signal.SIGKILL)
    return None


def _tell_who_ended(running: dict[int, int]) -> None:
    while running:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        end = running.pop(process)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it
            os.write(end, _CODE.pack(os.waitstatus_to_exitcode(status)))
        os.close(end)


def _become(told: dict[str, object], out: int, log: int) -> list[str]:
    os.dup2(out, 1)
    os.dup2(log, 2)
    os.close(out)
    os.close(log)
    environment, arguments, place = told["environment"], told["arguments"], told["place"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(place))
    time.tzset()
    return arguments
