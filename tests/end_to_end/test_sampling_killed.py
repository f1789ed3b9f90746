"""A collector that samples and is killed: what it acknowledged is stored once or counted as left out."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from databases import TestServer
from delivered import assert_ledger_adds_up
from harness import Collector, eventually
from thinned import SURE, decided, randomness, rows
from traffic import Sender, batch_span, trace_request

KILLS = 4
TRACE_SPANS = 4
PROBABILITY = 0.4
WAITING = {
    "decision_wait_s": 1,
    "rules": [
        {
            "name": "tail",
            "strategy": "tail",
            "rules": [{"error": True}],
            "otherwise": {"strategy": "uniform", "probability": PROBABILITY},
        }
    ],
}
BUDGET = {
    "decision_wait_s": 1,
    "rules": [{"name": "budget", "strategy": "importance", "budget_per_s": 2_000}],
}
CONSTANT = {"rules": [{"name": "some", "strategy": "uniform", "probability": PROBABILITY}]}
SETTINGS: dict[str, dict[str, Any]] = {"whole": CONSTANT, "waiting": WAITING, "budget": BUDGET}


class Traces(Sender):
    """Sends traces of some spans, an error in each fiftieth, and remembers what they were."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.requests: list[list[Span]] = []

    def _run(self) -> None:
        while not self._stopping.is_set():
            spans = list(self._spans())
            self._send(trace_request(spans))
            self.requests.append(spans)
            self.acknowledged.update(span.span_id for span in spans)
            self._stopping.wait(self.pause_s)

    def _spans(self) -> Iterator[Span]:
        for _ in range(self.spans_per_request // TRACE_SPANS):
            step = next(self._steps)
            first = batch_span(step, self.run)
            first.status.code = 2 if step % 50 == 0 else 1  # type: ignore[assignment]
            yield first
            for _ in range(TRACE_SPANS - 1):
                yield batch_span(step, self.run, trace_id=first.trace_id)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("settings", SETTINGS)
def test_what_was_acknowledged_is_stored_once_or_counted_as_left_out(
    tmp_path: Path, plain_server: TestServer, settings: str
) -> None:
    _kill_and_look(tmp_path, plain_server, settings)


@pytest.mark.timeout(300)
def test_so_it_is_on_timescaledb(tmp_path: Path, timescale_server: TestServer) -> None:
    _kill_and_look(tmp_path, timescale_server, "waiting")


def _kill_and_look(tmp_path: Path, server: TestServer, settings: str) -> None:
    chance = random.Random(f"sampled {settings}")
    told = ("--sampling", json.dumps(SETTINGS[settings]))
    with server.database() as dsn:
        running = Collector(tmp_path / "data", dsn, told)
        try:
            running.start()
            address = running.addresses["grpc"]
            senders = [Traces(address, run=f"run-{number}", pause_s=0.01) for number in range(2)]
            for sender in senders:
                sender.start()
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.1, 1.5))
                running.kill()
                running.start()
            for sender in senders:
                sender.stop()
            assert not any(sender.failures for sender in senders)
            requests = [each for sender in senders for each in sender.requests]
            _await_decided(running, sum(map(len, requests)))
            _assert_told_truly(dsn, running, requests, settings)
        finally:
            running.close()


def _await_decided(running: Collector, acknowledged: int) -> None:
    """Of each acknowledged span the ledger knows what became of it; what was sent twice is apart."""

    def is_decided() -> bool:
        again = running.ledger().get("spans", {}).get(("duplicate", ""), 0)
        return decided(running) - again == acknowledged

    eventually(is_decided, "everything acknowledged is decided", 60)


def _assert_told_truly(
    dsn: str, running: Collector, requests: list[list[Span]], settings: str
) -> None:
    stored = {
        (span_id & (2**64 - 1)).to_bytes(8, "big"): (threshold, reason, probability)
        for span_id, threshold, reason, probability in rows(
            dsn,
            "select span_id, sample_threshold, keep_reason, sample_probability from crucible.spans",
        )
    }
    spans = [span for each in requests for span in each]
    (counts,) = rows(dsn, "select count(*), sum(1 / sample_probability) from crucible.spans")
    assert counts[0] == len(stored) < len(spans)
    assert set(stored) <= {span.span_id for span in spans}
    assert_ledger_adds_up(running)
    assert running.ledger()["spans"]["stored", ""] == len(stored)
    for span in spans:
        if span.span_id in stored:
            assert randomness(span.trace_id) >= stored[span.span_id][0]
    _assert_one_decision_a_trace(stored, requests)
    if settings == "whole":
        bound = next(iter(stored.values()))[0]
        kept = {span.span_id for span in spans if randomness(span.trace_id) >= bound}
        assert kept == set(stored)
    if settings == "waiting":
        failed = {span.trace_id for span in spans if span.status.code == 2}
        assert {span.span_id for span in spans if span.trace_id in failed} <= set(stored)
    (deviation,) = rows(dsn, "select sqrt(sum(count_trace_variance)) from crucible.spans")[0]
    assert abs(counts[1] - len(spans)) <= SURE * deviation
    # Points are never sampled: two measurements a span, each there once.
    assert rows(dsn, "select count(*) from crucible.points") == [(2 * len(spans),)]


def _assert_one_decision_a_trace(
    stored: dict[bytes, tuple[Any, ...]], requests: list[list[Span]]
) -> None:
    """A request is in one window; all spans of a trace in it are kept alike, or none is."""
    for request in requests:
        traces: dict[bytes, set[int | None]] = {}
        for span in request:
            found = stored.get(span.span_id)
            traces.setdefault(span.trace_id, set()).add(found[0] if found else None)
        assert all(len(each) == 1 for each in traces.values())
