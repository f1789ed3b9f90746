"""Starts the sender's process and talks with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks.sender import Job, Sent

_TESTS = Path(__file__).resolve().parents[1]


class Client:
    """One sender: `go`, then `result`. `heard` is called for each acknowledgement it tells of."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        heard: Callable[[int, float], None] = lambda _index, _at_s: None,
    ) -> None:
        self._process = process
        self._heard = heard
        self._sent: Sent | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        if self._line() != "ready\n":
            raise RuntimeError("the sender ended before it was ready")

    def go(self) -> None:
        self._say("go")
        self._reader.start()

    @property
    def is_sending(self) -> bool:
        return self._reader.is_alive()

    def tell_stored(self, spans: int) -> None:
        """Say how many of the job's spans are in the database."""
        with suppress(BrokenPipeError):  # it has just ended
            self._say(f"stored {spans}")

    def result(self) -> Sent:
        """Wait until everything is acknowledged."""
        self._reader.join()
        if self._sent is None:
            raise RuntimeError(f"the sender failed with exit code {self._process.wait()}")
        return self._sent

    def _read(self) -> None:
        while line := self._line():
            word, _, rest = line.partition(" ")
            if word == "sent":
                self._sent = Sent(**json.loads(rest))
            elif word == "acknowledged":
                index, at_s = rest.split()
                self._heard(int(index), float(at_s))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


@contextmanager
def client(
    job: Job, heard: Callable[[int, float], None] = lambda _index, _at_s: None
) -> Iterator[Client]:
    """A sender that has made its requests and waits for `go`; ended afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sender", json.dumps(asdict(job))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
    ) as process:
        try:
            yield Client(process, heard)
        finally:
            process.kill()
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # a line that it ended too early to read
                process.stdin.close()


def send(job: Job) -> Sent:
    """Send it all and wait for the acknowledgements."""
    with client(job) as one:
        one.go()
        return one.result()
