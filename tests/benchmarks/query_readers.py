"""Readers beside ingest: how soon they are answered, and what they take from it.

Collector, PostgreSQL, sender and readers are processes of their own on one machine. First spans come as
fast as they are stored; then, at half of that rate, without readers and with them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import psycopg

from benchmarks.client import client
from benchmarks.ingest import TIMED_SEED, WARM_SEED, Running
from benchmarks.query_questions import mixed
from benchmarks.query_reader import Asked, Heard, Reading
from benchmarks.reference import WINDOW_REQUESTS
from benchmarks.storage_keep import Kept
from benchmarks.workload import SPANS, Workload
from harness import collector

RUN_COUNT = 7
ENDLESS = 10**9
WARM_REQUESTS = 64
AHEAD_WINDOWS = 8
# A rate is of what comes between these parts of the time: no warm-up, nothing that is only drained.
FIRST_PART, LAST_PART = 0.2, 0.95
_TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Read:
    """Rates in spans a second; milliseconds of each answer by question."""

    full_per_s: float
    alone_per_s: float
    beside_per_s: float
    ms: dict[str, list[float]]

    def percentile(self, q: float, name: str | None = None) -> float:
        """Of one question, or of all."""
        chosen = [each for key, many in self.ms.items() if name in {None, key} for each in many]
        return float(np.percentile(chosen, q, method="higher"))


def readers(kept: Kept, directory: Path, seconds: float, per_s: float) -> Read:
    """Measure over a filled database. RuntimeError where a question has no answer."""
    asked = mixed(kept.story, round(seconds * per_s))
    with _running(kept, directory) as measured:
        measured.warm_up(Workload(RUN_COUNT, WARM_SEED), WARM_REQUESTS)
        _heard(measured, mixed(kept.story, 2 * len({each.name for each in asked})), per_s)
        full_per_s = _rate(measured, seconds, None)
        half = full_per_s / SPANS / 2
        alone_per_s = _rate(measured, seconds, half)
        with _asking(measured.collector.api, asked, per_s) as process:
            beside_per_s = _rate(measured, seconds, half, process)
            heard = _result(process)
    _check(heard)
    ms: dict[str, list[float]] = {}
    for one, took_ms in zip(asked, heard.ms, strict=True):
        ms.setdefault(one.name, []).append(took_ms)
    return Read(full_per_s, alone_per_s, beside_per_s, ms)


@contextmanager
def _running(kept: Kept, directory: Path) -> Iterator[Running]:
    with (
        collector(directory, kept.dsn, is_fresh=True) as one,
        psycopg.connect(kept.dsn, autocommit=True) as conn,
    ):
        yield Running(one, conn)


def _rate(
    measured: Running,
    seconds: float,
    requests_per_s: float | None,
    reading: subprocess.Popen[str] | None = None,
) -> float:
    """Spans stored a second while they are sent at a rate, or as fast as they are stored."""
    # Each time other ids: what was sent before would be a duplicate.
    workload = Workload(RUN_COUNT, TIMED_SEED + time.monotonic_ns() % 1_000_000)
    job = replace(
        measured.job(workload, ENDLESS),
        prepared=False,
        duration_s=seconds,
        requests_per_s=requests_per_s,
        ahead_max=AHEAD_WINDOWS * WINDOW_REQUESTS * SPANS,
    )
    before = measured.stored_spans
    samples: list[tuple[float, int]] = []
    with client(job) as sender:
        sender.go()
        if reading is not None:
            _go(reading)
        began_s = time.monotonic()
        while sender.is_sending:
            stored = measured.stored_spans
            samples.append((time.monotonic() - began_s, stored))
            sender.tell_stored(stored - before)
            time.sleep(0.1)
        sent = sender.result()
    measured.await_stored(before + sent.spans)
    kept = [each for each in samples if FIRST_PART * seconds <= each[0] <= LAST_PART * seconds]
    (first_s, first), (last_s, last) = kept[0], kept[-1]
    return (last - first) / (last_s - first_s)


def _heard(measured: Running, asked: Sequence[Asked], per_s: float) -> None:
    """Every question once or twice before anything counts: a warm collector is what readers meet."""
    with _asking(measured.collector.api, asked, per_s) as process:
        _go(process)
        _check(_result(process))


@contextmanager
def _asking(url: str, asked: Sequence[Asked], per_s: float) -> Iterator[subprocess.Popen[str]]:
    """Readers that wait for `_go`."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.query_reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_TESTS,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(asdict(Reading(url, per_s, list(asked)))) + "\n")
            process.stdin.flush()
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the readers ended before they were ready")
            yield process
        finally:
            process.kill()


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _result(process: subprocess.Popen[str]) -> Heard:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the readers failed with exit code {process.wait()}")
    return Heard(**json.loads(line))


def _check(heard: Heard) -> None:
    if heard.failed:
        raise RuntimeError("questions without an answer: " + "; ".join(heard.failed))
