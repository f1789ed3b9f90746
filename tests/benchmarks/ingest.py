"""Durable ingest: spans that are acknowledged and in the database, by the second.

The clock runs from the first request's sending to the moment at which the ledger, read over a
connection of our own, says that the last span is stored; rows and ids are counted afterwards.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg

from benchmarks.client import Client, client, send
from benchmarks.sender import Job
from benchmarks.workload import POINTS, SPANS, Workload
from databases import TestServer
from harness import Collector, collector

POLL_S = 0.02
STALLED_S = 120.0  # without a span being stored
_STORED = (
    "select coalesce(sum(count), 0)::bigint from crucible.ledger"
    " where signal = 'spans' and outcome = 'stored'"
)
_CONTENTS = (
    "select count(*), count(distinct span_id), bit_xor(span_id),"
    " (select count(*) from crucible.points) from crucible.spans"
)
WARM_SEED, TIMED_SEED = 1, 2


@dataclass(frozen=True, slots=True)
class Load:
    """How much is sent. Warming compiles, connects, and fills caches and the first pages."""

    warm_requests: int
    timed_requests: int


@dataclass(frozen=True, slots=True)
class Ingested:
    stored_per_s: float
    acknowledged_per_s: float
    collector_cpu_us: float  # a span, from socket to COPY bytes; the database's own is not in it


class Running:
    """A collector over a fresh database, and what is known of both from outside."""

    def __init__(self, one: Collector, conn: psycopg.Connection[Any]) -> None:
        self.collector = one
        self.process = psutil.Process(one.running.pid)
        self.conn = conn

    @property
    def url(self) -> str:
        return f"grpc://{self.collector.addresses['grpc']}"

    @property
    def stored_spans(self) -> int:
        (count,) = self.conn.execute(_STORED).fetchone() or (0,)
        return int(count)

    @property
    def cpu_s(self) -> float:
        """Of the collector's process alone."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def job(self, workload: Workload, request_count: int) -> Job:
        """All the requests as fast as they are acknowledged."""
        return Job(self.url, workload.run_count, workload.seed, request_count, workload.start_ns)

    def warm_up(self, workload: Workload, request_count: int) -> None:
        """Send and store it before anything is measured."""
        send(self.job(workload, request_count))
        self.await_stored(request_count * SPANS)

    def await_stored(self, spans: int, between: Callable[[], None] = lambda: None) -> float:
        """Wait until so many spans are stored; returns when, by the monotonic clock."""
        last, last_s = -1, time.monotonic()
        while True:
            stored = self.stored_spans
            now_s = time.monotonic()
            if stored >= spans:
                return now_s
            if stored != last:
                last, last_s = stored, now_s
            if now_s - last_s > STALLED_S or not self.process.is_running():
                raise RuntimeError(
                    f"{stored} of {spans} spans stored and no more\n{self.collector.log()}"
                )
            between()
            time.sleep(POLL_S)


def expect(conn: psycopg.Connection[Any], sent: Sequence[tuple[Workload, int]]) -> None:
    """Every span of these requests is there once, by its id, with its points; nothing else."""
    ids = np.concatenate([each.span_ids(i) for each, count in sent for i in range(count)])
    wanted = (len(ids), len(ids), int(np.bitwise_xor.reduce(ids)), len(ids) * POINTS)
    found = conn.execute(_CONTENTS).fetchone()
    if found != wanted:
        raise RuntimeError(f"spans, ids, their sum, points: {found} instead of {wanted}")


@contextmanager
def running(server: TestServer, directory: Path) -> Iterator[Running]:
    """A fresh collector over a fresh database; nothing is left of either."""
    try:
        with (
            server.database(migrated=False) as dsn,
            collector(directory, dsn, is_fresh=True) as one,
            psycopg.connect(dsn, autocommit=True) as conn,
        ):
            yield Running(one, conn)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def ingest(server: TestServer, directory: Path, workload: Workload, load: Load) -> Ingested:
    """Send the load as fast as it is acknowledged and wait until all of it is stored."""
    warm = Workload(workload.run_count, WARM_SEED, workload.start_ns)
    with running(server, directory) as measured:
        measured.warm_up(warm, load.warm_requests)
        with client(measured.job(workload, load.timed_requests)) as sender:
            cpu_s = measured.cpu_s
            sender.go()
            spans = load.timed_requests * SPANS
            end_s = _await_all(measured, sender, load.warm_requests * SPANS + spans)
            cpu_s = measured.cpu_s - cpu_s
            sent = sender.result()
        expect(measured.conn, [(warm, load.warm_requests), (workload, load.timed_requests)])
    return Ingested(
        spans / (end_s - sent.first_send_s), sent.spans_per_s, cpu_s / spans * 1_000_000
    )


def _await_all(measured: Running, sender: Client, spans: int) -> float:
    """As `await_stored`, but a sender that failed is told at once."""

    def check() -> None:
        if not sender.is_sending:
            sender.result()

    return measured.await_stored(spans, check)
