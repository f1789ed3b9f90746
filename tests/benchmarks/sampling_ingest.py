"""Ingest of inferences of which one in a hundred is kept: how fast, at what cost, and that it is right.

The clock runs from the first request's sending until the ledger says that every span is stored or
sampled out, less what a strategy waits by design. Afterwards rows are held against the ledger, and where
the threshold is constant against the ids that must have been kept.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks import peers, servers
from benchmarks.client import client, send
from benchmarks.inferences import Inferences
from benchmarks.ingest import TIMED_SEED, WARM_SEED, Running
from benchmarks.report import Figure, at_least, at_most, figure
from benchmarks.sender import Job
from benchmarks.workload import SPANS
from crucible_collector.candidates import threshold
from databases import TestServer
from harness import collector

RUN_COUNT = 7
PROBABILITY = 0.01
RECEIVED_PER_S, CPU_US = at_least(200_000), at_most(5)
WAIT_S = 10.0
# What importance may spend: 1 % of the rate that the goal asks for.
BUDGET_PER_S = 2_000
RULES: dict[str, dict[str, Any]] = {
    "uniform": {"strategy": "uniform", "probability": PROBABILITY},
    "importance": {"strategy": "importance", "budget_per_s": BUDGET_PER_S},
}
_DONE = (
    "select coalesce(sum(count), 0)::bigint from crucible.ledger"
    " where signal = 'spans' and outcome <> 'received'"
)
_LEDGER = (
    "select outcome, sum(count)::bigint from crucible.ledger where signal = 'spans' group by 1"
)
_CONTENTS = (
    "select count(*), count(distinct span_id), coalesce(bit_xor(span_id), 0),"
    " sum(1 / sample_probability), sqrt(sum(count_variance)) from crucible.spans"
)


@dataclass(frozen=True, slots=True)
class Load:
    """How many requests are sent before the clock runs, and while it does."""

    warm_requests: int = 256
    timed_requests: int = 8_192


@dataclass(frozen=True, slots=True)
class Sampled:
    received_per_s: float  # of spans, decided and what is kept of them stored
    acknowledged_per_s: float
    cpu_us: float  # of the collector a span
    behind_s: float  # from the last acknowledgement until all is decided, less the strategy's wait
    kept_percent: float


class SampledRun(Running):
    """As `ingest.Running`; a span is done with once the ledger says what became of it."""

    @property
    def stored_spans(self) -> int:
        (count,) = self.conn.execute(_DONE).fetchone() or (0,)
        return int(count)

    def job(self, workload: Any, request_count: int) -> Job:
        return replace(super().job(workload, request_count), prepared=False, kind="inference")


@contextmanager
def running(server: TestServer, directory: Path, rule: dict[str, Any]) -> Iterator[SampledRun]:
    """A fresh collector that samples, over a fresh database; nothing is left of either."""
    told = json.dumps({"decision_wait_s": WAIT_S, "rules": [rule]})
    try:
        with (
            server.database(migrated=False) as dsn,
            collector(directory, dsn, "--sampling", told, is_fresh=True) as one,
            psycopg.connect(dsn, autocommit=True) as conn,
        ):
            yield SampledRun(one, conn)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def ingest(server: TestServer, directory: Path, name: str, load: Load) -> Sampled:
    """Send the load as fast as it is acknowledged and wait until all of it is decided."""
    warm, timed = Inferences(RUN_COUNT, WARM_SEED), Inferences(RUN_COUNT, TIMED_SEED)
    wait_s = WAIT_S if name == "importance" else 0.0
    with running(server, directory, RULES[name]) as measured:
        send(measured.job(warm, load.warm_requests))
        measured.await_stored(load.warm_requests * SPANS)
        with client(measured.job(timed, load.timed_requests)) as sender:
            cpu_s = measured.cpu_s
            sender.go()
            spans = load.timed_requests * SPANS
            end_s = measured.await_stored(load.warm_requests * SPANS + spans)
            cpu_s = measured.cpu_s - cpu_s
            sent = sender.result()
        is_constant = name == "uniform"
        sent_all = [(warm, load.warm_requests), (timed, load.timed_requests)]
        kept = expect(measured.conn, sent_all, is_constant=is_constant)
    return Sampled(
        spans / (end_s - wait_s - sent.first_send_s),
        sent.spans_per_s,
        cpu_s / spans * 1e6,
        end_s - wait_s - sent.last_acknowledged_s,
        100 * kept,
    )


def expect(
    conn: psycopg.Connection[Any], sent: list[tuple[Inferences, int]], *, is_constant: bool
) -> float:
    """The share that is stored: as the ledger says, and the very ids where the threshold is constant.

    RuntimeError where the rows are others, or where they do not stand for what was sent.
    """
    spans = sum(count for _, count in sent) * SPANS
    ledger = {outcome: int(count) for outcome, count in conn.execute(_LEDGER).fetchall()}
    rows, ids, xor, total, deviation = conn.execute(_CONTENTS).fetchone() or (0, 0, 0, 0.0, 0.0)
    if ledger != {"received": spans, "stored": rows, "sampled": spans - rows} or ids != rows:
        raise RuntimeError(f"{rows} rows with {ids} ids of {spans} spans; the ledger: {ledger}")
    if abs(total - spans) > 5 * (deviation or 0.0):
        raise RuntimeError(f"the rows stand for {total} ± {deviation} spans, not {spans}")
    if is_constant and (wanted := kept_ids(sent)) != (rows, xor):
        raise RuntimeError(f"rows and the sum of their ids are {(rows, xor)}, not {wanted}")
    return rows / spans


def kept_ids(sent: list[tuple[Inferences, int]]) -> tuple[int, int]:
    """How many spans a threshold of PROBABILITY keeps, and their ids combined."""
    bound = threshold(PROBABILITY)
    ids = np.concatenate(
        [
            workload.span_ids(index)[workload.randomness(index) >= bound]
            for workload, count in sent
            for index in range(count)
        ]
    )
    return len(ids), int(np.bitwise_xor.reduce(ids))


def figures(server: TestServer, work: Path, load: Load) -> Iterator[Figure]:
    """Each strategy on one kind of server."""
    for name in RULES:
        servers.settle(server)
        found = ingest(server, work / f"{server.kind}-{name}", name, load)
        place = f"{server.kind}, {name}"
        yield figure(f"{place}: received", found.received_per_s, "spans/s", RECEIVED_PER_S)
        yield figure(f"{place}: acknowledged", found.acknowledged_per_s, "spans/s")
        yield figure(f"{place}: collector CPU", found.cpu_us, "µs/span", CPU_US)
        yield figure(f"{place}: behind at the end", found.behind_s, "s")
        yield figure(f"{place}: kept", found.kept_percent, "%")


def rotel(work: Path, load: Load) -> Iterator[Figure]:
    """The same requests through rotel, which keeps nothing."""
    workload = Inferences(RUN_COUNT, TIMED_SEED)
    found = peers.rotel(work, workload, load.timed_requests, kind="inference")
    name = f"rotel {found.version} into its blackhole"
    yield figure(f"{name}: acknowledged", found.spans_per_s, "spans/s")
    yield figure(f"{name}: CPU", found.cpu_us, "µs/span")
