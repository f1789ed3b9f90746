"""What is in a window: its requests decoded, its records with what decisions go by, before any of them.

A request that cannot be read stands alone: it is set aside, and costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from crucible_collector.batch import I32, I64, Bool, Logs, Metrics, Reason, Records, Signal, Spans
from crucible_collector.candidates import Candidates
from crucible_collector.decode import decode_logs, decode_metrics, decode_spans
from crucible_collector.enrich.candidates import Received
from crucible_collector.enrich.logs import look_at_logs
from crucible_collector.enrich.spans import look_at_spans
from crucible_collector.enrich.window import Collected, LookedAt
from crucible_collector.errors import MalformedError
from crucible_collector.journal import Window
from crucible_collector.rows import SetAside

_Kind = TypeVar("_Kind", bound=Records)


@dataclass(slots=True)
class Decoded:
    """What was decoded, in the order of the wire; a request that cannot be read stands alone."""

    spans: list[LookedAt[Spans]] = field(default_factory=list)
    logs: list[LookedAt[Logs]] = field(default_factory=list)
    metrics: list[tuple[Metrics, Bool]] = field(default_factory=list)

    @property
    def requests(self) -> list[I32]:
        """The request of each record, in the order of `candidates`."""
        spans = [each.records.request for each in self.spans]
        return spans + [each.records.request for each in self.logs]

    @property
    def candidates(self) -> list[Candidates]:
        """Spans before logs."""
        spans = [each.candidates for each in self.spans]
        return spans + [each.candidates for each in self.logs]


def look_at(
    window: Window,
    collected: Collected,
    set_aside: list[SetAside],
    duplicates: frozenset[int],
    *,
    with_metrics: bool,
) -> Decoded:
    """Decode the window, but for `duplicates`, and look at its spans and logs; into `set_aside` what fails."""
    found = Decoded()
    digest = np.ascontiguousarray(window.digest[:, :8]).view(np.uint64)[:, 0]
    received = Received(window.received_ns, digest)

    def look_spans(spans: Spans, chosen: I64) -> None:
        if len(spans):
            keep = _kept(window, chosen, spans)
            found.spans.append(look_at_spans(spans, keep, received, collected))

    def look_logs(logs: Logs, chosen: I64) -> None:
        if len(logs):
            keep = _kept(window, chosen, logs)
            found.logs.append(look_at_logs(logs, keep, received, collected))

    _decode(window, Signal.TRACES, decode_spans, look_spans, set_aside, duplicates)

    def look_metrics(points: Metrics, chosen: I64) -> None:
        if len(points):
            found.metrics.append((points, _kept(window, chosen, points)))

    _decode(window, Signal.LOGS, decode_logs, look_logs, set_aside, duplicates)
    if with_metrics:
        _decode(window, Signal.METRICS, decode_metrics, look_metrics, set_aside)
    return found


def _decode(
    window: Window,
    signal: Signal,
    decoder: Callable[..., _Kind],
    add: Callable[[_Kind, I64], None],
    set_aside: list[SetAside],
    duplicates: frozenset[int] = frozenset(),
) -> None:
    """Decode the requests of a signal together; if one of them cannot be read, each on its own."""
    chosen = np.flatnonzero((window.signal == signal) & (window.body_length > 0))
    if duplicates:
        chosen = chosen[~np.isin(chosen, list(duplicates))]
    if not len(chosen):
        return
    waiting = [chosen]
    while waiting:
        requests = waiting.pop(0)
        try:
            records = decoder(
                window.buffer, window.body_offset[requests], window.body_length[requests]
            )
        except MalformedError as error:
            if len(requests) > 1:
                waiting = np.split(requests, len(requests))
            else:
                aside = SetAside(int(requests[0]), -1, signal, Reason.CORRUPT, str(error))
                set_aside.append(aside)
            continue
        records.request = requests[records.request].astype(np.int32)
        add(records, requests)


def _kept(window: Window, chosen: I64, records: Records) -> Bool:
    """False for the records that the check refused."""
    keep = np.ones(len(records), np.bool_)
    begin, end = window.refused_start[chosen], window.refused_start[chosen + 1]
    for request in chosen[end > begin]:
        slice_ = slice(int(window.refused_start[request]), int(window.refused_start[request + 1]))
        first = np.searchsorted(records.request, request)
        keep[first + window.refused_index[slice_].astype(np.int64)] = False
    return keep
