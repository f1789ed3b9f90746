"""Loads that go on for a while: memory at full rate, and latencies at half of it."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.client import Client, client
from benchmarks.ingest import TIMED_SEED, WARM_SEED, Running, running
from benchmarks.reference import WINDOW_REQUESTS
from benchmarks.sender import Sent
from benchmarks.workload import SPANS, Workload
from databases import TestServer

RUN_COUNT = 7
ENDLESS = 10**9
SAMPLE_S = 1.0
# Enough that the writer never waits for the sender, so that the rate is the database's; without a
# bound the journal would grow by what the sender is faster.
AHEAD_WINDOWS = 8
# What a fresh process fills (pools, caches of the database driver) is not a leak.
SETTLING_PART = 0.2
_MIB = 1024 * 1024

POLL_S = 0.025  # the grain of visibility
SAMPLES_PER_S = 4.0
VISIBLE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Soaked:
    stored_per_s: float
    rss_max_mb: float
    rss_slope_mb_min: float  # least squares over the samples after the first fifth of the time


@dataclass(frozen=True, slots=True)
class Paced:
    sent: Sent
    rate_per_s: float
    visible_p50_s: float
    visible_p99_s: float
    samples: int


def soak(server: TestServer, directory: Path, seconds: float) -> Soaked:
    """Keep the collector as busy as the database lets it be, and watch its memory."""
    with running(server, directory) as measured:
        job = replace(
            measured.job(Workload(RUN_COUNT, TIMED_SEED), ENDLESS),
            prepared=False,
            duration_s=seconds,
            ahead_max=AHEAD_WINDOWS * WINDOW_REQUESTS * SPANS,
        )
        with client(job) as sender:
            memory = _Memory(measured)
            sender.go()
            memory.start()
            began_s = time.monotonic()
            stored, ended_s = _feed(measured, sender)
            memory.stop()
            sent = sender.result()
        measured.await_stored(sent.spans)
        found = measured.conn.execute("select count(*) from crucible.spans").fetchone()
        if found != (sent.spans,):
            raise RuntimeError(f"{found} spans in the database, {sent.spans} acknowledged")
    return Soaked(stored / (ended_s - began_s), memory.max_mb, memory.slope_mb_min)


def _feed(measured: Running, sender: Client) -> tuple[int, float]:
    """Tell the sender what is stored until it ends; returns how much that was, and when."""
    while True:
        stored, now_s = measured.stored_spans, time.monotonic()
        if not sender.is_sending:
            return stored, now_s
        sender.tell_stored(stored)
        time.sleep(POLL_S)


class _Memory(threading.Thread):
    """Samples the collector's resident set."""

    def __init__(self, measured: Running) -> None:
        super().__init__(daemon=True)
        self._process = measured.process
        self._done = threading.Event()
        self._samples: list[tuple[float, float]] = []

    def run(self) -> None:
        while True:
            self._samples.append((time.monotonic(), self._process.memory_info().rss / _MIB))
            if self._done.wait(SAMPLE_S):
                return

    def stop(self) -> None:
        self._done.set()
        self.join()

    @property
    def max_mb(self) -> float:
        return max(rss for _, rss in self._samples)

    @property
    def slope_mb_min(self) -> float:
        at_s, rss = np.array(self._samples).T
        settled = at_s - at_s[0] >= SETTLING_PART * (at_s[-1] - at_s[0])
        slope, _ = np.polyfit(at_s[settled] - at_s[0], rss[settled], 1)
        return float(slope * 60)


def paced(server: TestServer, directory: Path, spans_per_s: float, seconds: float) -> Paced:
    """Send at a steady rate; ask REST for a sample of what was acknowledged until it is there."""
    requests_per_s = spans_per_s / SPANS
    workload = Workload(RUN_COUNT, TIMED_SEED)
    with running(server, directory) as measured:
        measured.warm_up(Workload(RUN_COUNT, WARM_SEED), WINDOW_REQUESTS)
        job = replace(
            measured.job(workload, max(1, round(seconds * requests_per_s))),
            prepared=False,
            requests_per_s=requests_per_s,
            tell_every=max(1, round(requests_per_s / SAMPLES_PER_S)),
        )
        visibility = _Visibility(measured.collector.api, workload)
        with client(job, visibility.acknowledged) as sender:
            sender.go()
            visibility.start()
            sent = sender.result()
        delays_s = visibility.finish()
        measured.await_stored(WINDOW_REQUESTS * SPANS + sent.spans)
    p50, p99 = np.percentile(delays_s, (50, 99)).tolist()
    return Paced(sent, sent.spans_per_s, p50, p99, len(delays_s))


class _Visibility(threading.Thread):
    """Asks for each sampled trace until it is there, one question at a time."""

    def __init__(self, api: str, workload: Workload) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=30)
        self._workload = workload
        self._lock = threading.Lock()
        self._pending: dict[int, float] = {}
        self._delays_s: list[float] = []
        self._ending_s = float("inf")
        self._error: Exception | None = None

    def acknowledged(self, index: int, at_s: float) -> None:
        """Called by the client's thread."""
        with self._lock:
            self._pending[index] = at_s

    def run(self) -> None:
        try:
            while not self._round():
                time.sleep(POLL_S)
        except Exception as error:  # noqa: BLE001 - told where the thread is joined
            self._error = error

    def _round(self) -> bool:
        """Ask once for everything pending; returns whether all is over."""
        with self._lock:
            pending = dict(self._pending)
        for index, at_s in pending.items():
            if self._is_visible(index):
                self._delays_s.append(time.monotonic() - at_s)
                with self._lock:
                    del self._pending[index]
        if pending and time.monotonic() > self._ending_s:
            raise RuntimeError(f"{len(pending)} sampled requests never became visible")
        return not pending and self._ending_s != float("inf")

    def _is_visible(self, index: int) -> bool:
        self._connection.request("GET", f"/api/v1/traces/{self._workload.trace_id(index)}")
        response = self._connection.getresponse()
        response.read()
        if response.status not in {http.client.OK, http.client.NOT_FOUND}:
            raise RuntimeError(f"asking for a trace: {response.status}")
        return response.status == http.client.OK

    def finish(self) -> list[float]:
        """Wait for what is pending; seconds from acknowledgement to visibility, one a sample."""
        self._ending_s = time.monotonic() + VISIBLE_TIMEOUT_S
        self.join()
        self._connection.close()
        if self._error is not None:
            raise self._error
        return self._delays_s
