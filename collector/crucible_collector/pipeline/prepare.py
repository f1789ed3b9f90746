"""Window to rows: decode and enrich, one signal after the other.

The step has no side effects and asks no clock: the journal's record carries the receipt time and the
check's verdicts, so a window that is prepared again after a crash gives the same rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from crucible_collector.batch import I64, Reason, Records, Signal
from crucible_collector.decode import decode_logs, decode_metrics, decode_spans
from crucible_collector.enrich.logs import add_logs
from crucible_collector.enrich.metrics import add_metrics
from crucible_collector.enrich.spans import add_spans
from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from crucible_collector.enrich.window import Collected, Known
from crucible_collector.errors import MalformedError
from crucible_collector.journal import EntryFlag, Window
from crucible_collector.rows import Requests, SetAside, WindowRows

_DECODERS: dict[Signal, Callable[..., Records]] = {
    Signal.TRACES: decode_spans,
    Signal.METRICS: decode_metrics,
    Signal.LOGS: decode_logs,
}
_ADDERS: dict[Signal, Callable[..., None]] = {
    Signal.TRACES: add_spans,
    Signal.METRICS: add_metrics,
    Signal.LOGS: add_logs,
}


def prepare(window: Window, known: Known, subscription: Subscription = EVERYTHING) -> WindowRows:
    """Decode and enrich every request of the window, but for the events that are not wanted."""
    collected = Collected(known, subscription)
    set_aside: list[SetAside] = []
    for signal in Signal:
        chosen = np.flatnonzero((window.signal == signal) & (window.body_length > 0))
        if len(chosen):
            _add(window, signal, chosen, collected, set_aside)
    return _rows(window, collected, set_aside)


def set_aside_whole(window: Window, message: str) -> WindowRows:
    """The window with every request refused: what is written of one that cannot be prepared."""
    set_aside = [
        SetAside(request, -1, Signal(int(window.signal[request])), Reason.CORRUPT, message)
        for request in np.flatnonzero(window.body_length > 0).tolist()
    ]
    return _rows(window, Collected(Known((), (), ())), set_aside)


def _rows(window: Window, collected: Collected, set_aside: list[SetAside]) -> WindowRows:
    return WindowRows(
        window=window,
        requests=Requests(
            window.signal,
            window.digest,
            window.received_ns,
            window.record_count,
            ((window.flags & (EntryFlag.ANONYMOUS | EntryFlag.REFUSED_WHOLE)) != 0).astype(
                np.uint8
            ),
        ),
        tables=collected.tables,
        resources=collected.resources,
        scopes=collected.scopes,
        series=collected.series,
        runs=collected.facts.runs,
        experiments=collected.facts.experiments,
        refused=_refused(window),
        filtered=collected.filtered,
        unknown=collected.unregistered.unknown,
        foreign=collected.unregistered.foreign,
        set_aside=set_aside,
        damaged=_damaged(window),
        series_seen={},
    )


def _add(
    window: Window, signal: Signal, chosen: I64, collected: Collected, set_aside: list[SetAside]
) -> None:
    """Decode the chosen requests together; if one of them cannot be read, each on its own."""
    try:
        records = _DECODERS[signal](
            window.buffer, window.body_offset[chosen], window.body_length[chosen]
        )
    except MalformedError as error:
        if len(chosen) > 1:
            for one in np.split(chosen, len(chosen)):
                _add(window, signal, one, collected, set_aside)
            return
        set_aside.append(SetAside(int(chosen[0]), -1, signal, Reason.CORRUPT, str(error)))
        return
    records.request = chosen[records.request].astype(np.int32)
    _ADDERS[signal](records, _kept(window, chosen, records), window.received_ns, collected)


def _kept(
    window: Window, chosen: I64, records: Records
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """False for the records that the check refused."""
    keep = np.ones(len(records), np.bool_)
    begin, end = window.refused_start[chosen], window.refused_start[chosen + 1]
    for request in chosen[end > begin]:
        slice_ = slice(int(window.refused_start[request]), int(window.refused_start[request + 1]))
        first = np.searchsorted(records.request, request)
        keep[first + window.refused_index[slice_].astype(np.int64)] = False
    return keep


def _refused(window: Window) -> dict[tuple[int, Reason], int]:
    """How many records of each request the check refused, by reason.

    A request that was refused whole carries its reason once and its record count, if known.
    """
    counts: dict[tuple[int, Reason], int] = {}
    with_verdicts = np.flatnonzero(np.diff(window.refused_start))
    for request in map(int, with_verdicts):
        slice_ = slice(int(window.refused_start[request]), int(window.refused_start[request + 1]))
        reasons, found = np.unique(window.refused_reason[slice_], return_counts=True)
        is_whole = bool(window.flags[request] & EntryFlag.REFUSED_WHOLE)
        for reason, count in zip(reasons.tolist(), found.tolist(), strict=True):
            whole = int(window.record_count[request])
            counts[request, Reason(reason)] = whole if is_whole else count
    return counts


def _damaged(window: Window) -> dict[tuple[Signal, Reason], int]:
    """Records that were acknowledged and can no longer be read, where the header still says so."""
    counts: dict[tuple[Signal, Reason], int] = {}
    for damage in window.damaged:
        if damage.signal is not None and damage.record_count:
            key = (damage.signal, Reason.CORRUPT)
            counts[key] = counts.get(key, 0) + damage.record_count
    return counts
