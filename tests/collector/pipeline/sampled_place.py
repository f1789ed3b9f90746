"""A journal, a pipeline with sampling rules over it, and a clock: what tests of sampled windows stand on."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from crucible_collector.detect.settings import Detection
from crucible_collector.journal import DeadLetters, Journal
from crucible_collector.pipeline.checkpoints import Checkpoints
from crucible_collector.pipeline.detection import DetectionInForce
from crucible_collector.pipeline.in_force import InForce
from crucible_collector.pipeline.pipeline import Pipeline
from crucible_collector.pipeline.sampling import SamplingInForce
from crucible_collector.rows import Phase, WindowRows
from crucible_collector.sample.rules import Rules
from crucible_collector.store.connect import ingest_connection
from crucible_collector.store.outcomes import Written
from crucible_collector.store.window import WindowWriter
from rows_of import RECEIVED_NS, entry_of, rows_of, span_of
from traffic import key_value

WAIT_S = 60.0


def trace_of(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()[:16]


def randomness_of(number: int) -> int:
    return int.from_bytes(trace_of(number)[-7:])


def span(number: int, trace: int | None = None, *, error: bool = False) -> Span:
    """A span whose id is its number, with one number that is a point, of a trace of its own or a given one."""
    found = span_of(number, "crucible_train.batch", crucible__run__id="r", crucible__step=number)
    found.attributes.append(key_value("crucible.measurement.loss", number / 7))
    found.trace_id = trace_of(number if trace is None else trace)
    if error:
        found.status.code = Status.STATUS_CODE_ERROR
    return found


def watching(settings: dict[str, Any]) -> DetectionInForce:
    """Settings of detection that are in force from the first window on."""
    found = DetectionInForce()
    found.now = InForce(1, Detection.parse(settings))
    return found


@dataclass
class Place:
    """A journal and a pipeline over it, with rules and a clock that a test sets."""

    dsn: str
    directory: Path
    journal: Journal
    dead_letters: DeadLetters
    in_force: SamplingInForce = field(default_factory=SamplingInForce)
    detection: DetectionInForce = field(default_factory=lambda: watching({"enabled": False}))
    now_ns: int = RECEIVED_NS
    windows: list[tuple[Phase, int, int]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def rule(self, settings: dict[str, Any]) -> None:
        self.in_force.now = InForce(self.in_force.now.version + 1, Rules.parse(settings))

    def append(self, *requests: Message, received_ns: int | None = None) -> int:
        received_ns = self.now_ns if received_ns is None else received_ns
        futures = [
            self.journal.append(entry_of(each, received_ns=received_ns)) for each in requests
        ]
        return max(future.result(WAIT_S) for future in futures)

    def committed(self, rows: WindowRows, _written: Written) -> None:
        with self._changed:
            self.windows.append((rows.phase, rows.start, rows.end))
            self._changed.notify_all()

    def until(self, phase: Phase, end: int) -> None:
        def is_there() -> bool:
            return any(each[0] is phase and each[2] == end for each in self.windows)

        with self._changed:
            assert self._changed.wait_for(is_there, WAIT_S), (end, self.windows)

    def _started(self, dsn: str) -> Pipeline:
        writer = WindowWriter(lambda: ingest_connection(dsn), self.journal.journal_id, "test")
        pipeline = Pipeline(
            self.journal,
            writer,
            self.dead_letters,
            sampling=self.in_force,
            detection=self.detection,
            checkpoints=Checkpoints(self.directory, self.journal.journal_id),
            committed=self.committed,
            clock_ns=lambda: self.now_ns,
        )
        pipeline.start()
        return pipeline

    @contextmanager
    def running(self, dsn: str | None = None) -> Iterator[Pipeline]:
        pipeline = self._started(dsn or self.dsn)
        try:
            yield pipeline
        finally:
            pipeline.stop(30)
            assert not pipeline.is_alive()

    @contextmanager
    def killed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
        """One that ends as if killed: nothing more is written, decided or remembered at its end."""
        with monkeypatch.context() as patch:
            pipeline = self._started(self.dsn)
            yield pipeline
            patch.setattr(Pipeline, "_is_over", lambda pipeline: pipeline._stopping.is_set())
            patch.setattr(Pipeline, "_take_leave", lambda _pipeline: None)
            pipeline.stop(30)
            assert not pipeline.is_alive()

    def points(self) -> int:
        return len(rows_of(self.dsn, "points"))
