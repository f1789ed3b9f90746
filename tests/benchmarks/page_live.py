"""A training that tells a thousand numbers a second, and how far behind it the page is."""

from __future__ import annotations

import threading
import time
import urllib.request
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traffic import key_value

RUN = "live"
_EVERY_S = 0.1


@dataclass
class Training:
    """Sends spans with a number each to `url`, until it is stopped."""

    url: str
    per_s: int
    sent_s: list[float] = field(
        default_factory=list
    )  # of each step, when its request was acknowledged
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """RuntimeError where something was not taken."""
        self._is_over.set()
        self._thread.join()
        if self.failure is not None:
            raise RuntimeError("the collector did not take what was sent") from self.failure

    def _run(self) -> None:
        began = time.monotonic()
        try:
            while not self._is_over.is_set():
                due = int((time.monotonic() - began) * self.per_s)
                if due > len(self.sent_s):
                    self._send(len(self.sent_s), due)
                    self.sent_s += [time.monotonic()] * (due - len(self.sent_s))
                self._is_over.wait(_EVERY_S)
        except OSError as error:
            self.failure = error

    def _send(self, first: int, end: int) -> None:
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        now_ns = time.time_ns()
        for step in range(first, end):
            spans.add(
                trace_id=b"\1" * 16,
                span_id=(step + 1).to_bytes(8),
                name="crucible_train.batch",
                start_time_unix_nano=now_ns - 1_000_000 + step - first,
                end_time_unix_nano=now_ns + step - first,
                attributes=[
                    key_value("crucible.run.id", RUN),
                    key_value("crucible.step", step),
                    key_value("crucible.measurement.loss", 3.0 / (1 + step / 1000)),
                ],
            )
        asked = urllib.request.Request(
            f"{self.url}/v1/traces",
            request.SerializeToString(),
            {"Content-Type": "application/x-protobuf"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            answer.read()
