"""A real collector in a process of its own, as a user would start it, and questions to it.

`Collector.start()` returns when the collector prints its line beginning with `ready`; ports are
always free ones. What it logs goes to a file that is shown when something goes wrong. It is forked where
the collector is loaded already (see `forked`), unless the test is about how a process comes to be.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forked import Forked

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0


@dataclass
class Collector:
    """One `crucible-collector serve`."""

    data_dir: Path
    database_url: str | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    is_fresh: bool = False  # an interpreter of its own from the start, as a user's is
    process: subprocess.Popen[str] | Forked | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    _drain: threading.Thread | None = None

    @property
    def log_path(self) -> Path:
        return self.data_dir.with_suffix(".log")

    @property
    def api(self) -> str:
        return self.addresses["api"]

    def start(self) -> Collector:
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        command = ["serve", "--data-dir", str(self.data_dir)]
        for name in ("grpc", "http", "api"):
            # After a restart the same ports again: that is what a client sees.
            address = self.addresses.get(name, "127.0.0.1:0").removeprefix("http://")
            command += [f"--{name}", address]
        if self.database_url:
            command += ["--database-url", self.database_url]
        command += self.arguments
        environment = {**os.environ, **self.environment}
        with self.log_path.open("a") as log:
            if self.is_fresh:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "crucible_collector", *command],
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=environment,
                )
            else:
                self.process = Forked(command, environment, log)
        self._await_ready()
        return self

    def _await_ready(self) -> None:
        process = self.running
        timer = threading.Timer(READY_TIMEOUT_S, process.kill)
        timer.start()
        try:
            for line in process.stdout or ():
                if line.startswith("ready"):
                    pairs = dict(part.split("=", 1) for part in line.split()[1:])
                    self.addresses = pairs
                    break
            else:
                process.wait()
                _empty(process)
                raise AssertionError(f"the collector ended before it was ready:\n{self.log()}")
        finally:
            timer.cancel()
        # Keep the pipe empty: a full one would stop the collector.
        self._drain = threading.Thread(target=_empty, args=(process,), daemon=True)
        self._drain.start()

    @property
    def running(self) -> subprocess.Popen[str] | Forked:
        assert self.process is not None, "the collector was not started"
        return self.process

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.running.send_signal(signal.SIGTERM)
        code = self.running.wait(STOP_TIMEOUT_S)
        self._ended()
        return code

    def kill(self) -> None:
        """SIGKILL: nothing is said goodbye to."""
        self.running.kill()
        self.running.wait()
        self._ended()

    def _ended(self) -> None:
        self.process = None
        if self._drain is not None:
            self._drain.join(10)

    def close(self) -> None:
        """End it, however it is."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            if self.process is not None:
                self.kill()

    def log(self) -> str:
        return self.log_path.read_text()[-8000:] if self.log_path.exists() else ""

    def get(self, path: str) -> Any:
        """The JSON answer to a GET; raises urllib.error.HTTPError for 4xx and 5xx."""
        with urllib.request.urlopen(self.api + path, timeout=30) as answer:
            return json.load(answer)

    def ledger(self) -> dict[str, dict[tuple[str, str], int]]:
        """signal -> (outcome, reason) -> records."""
        found: dict[str, dict[tuple[str, str], int]] = {}
        for row in self.get("/api/v1/ledger")["data"]:
            counts = {
                (outcome, ""): int(row[f"{outcome}_count"])
                for outcome in ("received", "stored", "duplicate")
            }
            counts |= {("sampled", rule): n for rule, n in row["sampled_by_rule"].items()}
            counts |= {("filtered", rule): n for rule, n in row["filtered_by_rule"].items()}
            counts |= {("rejected", reason): n for reason, n in row["rejected_by_reason"].items()}
            found[row["signal"]] = counts
        return found

    def metrics(self) -> str:
        with urllib.request.urlopen(self.api + "/metrics", timeout=30) as answer:
            return str(answer.read().decode())


def _empty(process: subprocess.Popen[str] | Forked) -> None:
    if process.stdout is not None:
        with process.stdout:
            for _ in process.stdout:
                pass


def eventually(
    condition: Callable[[], Any], what: str, timeout_s: float = 30.0, interval_s: float = 0.05
) -> Any:
    """Wait until `condition` is true and return its value; errors of HTTP and sockets count as no."""
    deadline = time.monotonic() + timeout_s
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = condition()
        except (OSError, urllib.error.URLError) as error:
            last = error
        else:
            if last:
                return last
        time.sleep(interval_s)
    raise AssertionError(f"{what}: not within {timeout_s:g} s (last: {last!r})")


@contextlib.contextmanager
def collector(
    data_dir: Path,
    database_url: str | None = None,
    *arguments: str,
    is_fresh: bool = False,
    **environment: str,
) -> Iterator[Collector]:
    """A started collector, ended afterwards."""
    one = Collector(data_dir, database_url, arguments, environment, is_fresh)
    try:
        yield one.start()
    except BaseException:
        sys.stderr.write(f"the collector's log:\n{one.log()}\n")
        raise
    finally:
        one.close()
