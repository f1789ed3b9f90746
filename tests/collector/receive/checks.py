"""Runs the check on one request and reads its verdicts."""

from __future__ import annotations

import time

from collector.receive.otlp import Request
from crucible_collector.batch import Reason, Signal
from crucible_collector.receive import Limits
from crucible_collector.receive.check import Checked, check

NOW_NS = time.time_ns()
DIGEST = bytes(range(16))


def checked(signal: Signal, request: Request, limits: Limits | None = None) -> Checked:
    return check(signal, request.SerializeToString(), NOW_NS, limits or Limits(), digest=DIGEST)


def refused(signal: Signal, request: Request, limits: Limits | None = None) -> dict[int, Reason]:
    entry = checked(signal, request, limits).entry
    return {
        int(index): Reason(int(reason))
        for index, reason in zip(entry.refused_index, entry.refused_reason, strict=True)
    }
