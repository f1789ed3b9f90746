"""What each stage of the hot path costs by itself, in this process, on windows of the usual size.

Processor time, so that a machine with other work changes it little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.reference import WINDOW_REQUESTS, windows
from benchmarks.report import Figure, figure
from benchmarks.workload import SPANS, Workload
from crucible_collector.batch import Signal
from crucible_collector.decode import decode_spans
from crucible_collector.enrich.window import Known
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.receive.check import check
from crucible_collector.receive.intake import digest_of
from crucible_collector.receive.limits import Limits
from crucible_collector.store.window import encode_tables


def stages(workload: Workload, repeats: int) -> list[Figure]:
    """Median µs a span of each step; `prepare` decodes once more, so it contains that."""
    (window,) = windows(workload, WINDOW_REQUESTS)
    bodies = [workload.body(index) for index in range(WINDOW_REQUESTS)]
    known = prepare(window, Known((), (), ()))
    seen = Known(set(known.resources.rows), set(known.scopes.rows), set(known.series.rows))

    def checks() -> None:
        for body in bodies:
            digest = digest_of(Signal.TRACES, body)
            checked = check(Signal.TRACES, body, workload.start_ns, Limits(), digest=digest)
            if len(checked.entry.refused_index):
                raise RuntimeError(checked.message)

    steps: dict[str, Callable[[], object]] = {
        "digest and check": checks,
        "decode": lambda: decode_spans(window.buffer, window.body_offset, window.body_length),
        "prepare (decode and enrich)": lambda: prepare(window, seen),
        "encode for COPY": lambda: encode_tables(known),
    }
    return [
        figure(f"stage: {name}", _median_us(step, repeats), "µs/span")
        for name, step in steps.items()
    ]


def _median_us(step: Callable[[], object], repeats: int) -> float:
    step()  # compiled and in cache
    took_s = []
    for _ in range(repeats):
        began_s = time.process_time()
        step()
        took_s.append(time.process_time() - began_s)
    return float(np.median(took_s)) / (WINDOW_REQUESTS * SPANS) * 1_000_000
