"""Inferences whose truth is known, sent through OTLP, and what a collector's answers say of them.

Traces have one to three spans and belong to a run, the group that questions are asked about. Ids, and so
what a constant threshold keeps, are the same every time.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from crucible_collector.candidates import threshold
from harness import Collector
from traffic import key_value, trace_request

EVENT = "crucible_deployment.inference"
REQUEST_SPANS = 250
ERROR_SHARE = 0.03
_MS = 1_000_000
# Sums of estimates are this many standard errors from the truth once in a million runs.
SURE = 5.0


@dataclass
class Truth:
    """What was sent of one run."""

    count: int = 0
    error_count: int = 0
    duration_total_ms: float = 0.0
    output_tokens: float = 0.0
    durations_ns: list[int] = field(default_factory=list)

    def add(self, span: Span, tokens: int) -> None:
        took_ns = span.end_time_unix_nano - span.start_time_unix_nano
        self.count += 1
        self.error_count += span.status.code == 2
        self.duration_total_ms += took_ns / _MS
        self.output_tokens += tokens
        self.durations_ns.append(took_ns)


MEASURES = ("count", "error_count", "duration_total_ms", "output_tokens")


@dataclass
class Sent:
    """Spans of one experiment, and the truth about its runs."""

    experiment: str
    spans: list[Span]
    truth: dict[str, Truth]

    def requests(self) -> list[ExportTraceServiceRequest]:
        """In the order of their traces."""
        cut = range(0, len(self.spans), REQUEST_SPANS)
        return [trace_request(self.spans[at : at + REQUEST_SPANS]) for at in cut]

    @property
    def ids(self) -> set[bytes]:
        return {span.span_id for span in self.spans}

    def ids_kept(self, probability: float) -> set[bytes]:
        """What a constant probability keeps, by the definition."""
        bound = int(threshold(probability))
        return {span.span_id for span in self.spans if randomness(span.trace_id) >= bound}


def randomness(trace_id: bytes) -> int:
    return int.from_bytes(trace_id[-7:])


def inferences(experiment: str, *, runs: int, traces: int, seed: int = 1) -> Sent:
    """`traces` of each of `runs`, run by run in turn."""
    drawn = np.random.default_rng((seed, *experiment.encode()))
    spans: list[Span] = []
    truth: defaultdict[str, Truth] = defaultdict(Truth)
    now_ns = time.time_ns()
    for number in range(runs * traces):
        run = f"{experiment}-{number % runs}"
        digest = hashlib.sha256(f"{experiment} {seed} {number}".encode()).digest()
        for place in range(int(drawn.choice([1, 1, 2, 3]))):
            tokens = int(drawn.lognormal(5, 0.8)) + 1
            took_ns = int(drawn.lognormal(math.log(0.3), 0.9) * 1e9) + 1
            span = Span(
                trace_id=digest[:16],
                span_id=digest[16 + place : 24 + place],
                name=EVENT,
                start_time_unix_nano=now_ns - took_ns,
                end_time_unix_nano=now_ns,
                attributes=[
                    key_value("crucible.experiment.id", experiment),
                    key_value("crucible.run.id", run),
                    key_value("gen_ai.usage.output_tokens", tokens),
                ],
            )
            span.status.code = 2 if drawn.random() < ERROR_SHARE else 1  # type: ignore[assignment]
            spans.append(span)
            truth[run].add(span, tokens)
    return Sent(experiment, spans, dict(truth))


def by_run(running: Collector, experiment: str) -> dict[str, dict[str, Any]]:
    """What the API says of each run of an experiment."""
    asked = f"experiment={experiment}&group_by=run&percentiles=true&limit=1000"
    rows = running.get(f"/api/v1/events/aggregate?{asked}")["data"]
    return {row["run_id"]: row for row in rows}


def in_all(running: Collector, experiment: str) -> dict[str, Any]:
    """What the API says of all of an experiment."""
    (row,) = running.get(f"/api/v1/events/aggregate?experiment={experiment}")["data"]
    found: dict[str, Any] = row
    return found


def covered(told: dict[str, dict[str, Any]], truth: dict[str, Truth]) -> dict[str, list[bool]]:
    """For each measure, whether the intervals of the runs that call theirs reliable hold the truth."""
    return {
        measure: [
            holds(row[f"{measure}_interval"], getattr(truth[run], measure))
            for run, row in told.items()
            if row["interval_reliable"]
        ]
        for measure in MEASURES
    }


def holds(interval: Sequence[float | None], value: float, slack: float = 1e-9) -> bool:
    """Whether an interval has the value; null is no end."""
    low, high = interval
    is_above = low is None or low <= value * (1 + slack)
    return is_above and (high is None or value * (1 - slack) <= high)


def assert_near(row: dict[str, Any], truths: Iterable[Truth]) -> None:
    """Each sum is within SURE standard errors of what was sent."""
    wanted = list(truths)
    for measure in MEASURES:
        value = sum(getattr(each, measure) for each in wanted)
        error = row[f"{measure}_standard_error"]
        assert abs(row[measure] - value) <= SURE * error + 1e-6 * value, (measure, value, row)


def rows(dsn: str, question: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(question.encode()).fetchall()


def stored_ids(dsn: str, experiment: str) -> set[bytes]:
    """The span ids of an experiment in the database; each must be there once."""
    found = rows(dsn, f"select span_id from crucible.spans where experiment_id = '{experiment}'")
    ids = {(each[0] & (2**64 - 1)).to_bytes(8, "big") for each in found}
    assert len(ids) == len(found)
    return ids


def decided(running: Collector) -> int:
    """Spans of which it is known what became of them, over all collectors of the database."""
    counts = running.ledger().get("spans", {})
    return sum(count for (outcome, _), count in counts.items() if outcome != "received")
