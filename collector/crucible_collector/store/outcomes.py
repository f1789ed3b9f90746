"""What became of every record of a window, for the delivery ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from crucible_collector.batch import Signal
from crucible_collector.rows import SetAside, WindowRows


@dataclass(slots=True)
class Written:
    """What a transaction did, for the counters and the dead letters."""

    rows: dict[str, int] = field(default_factory=dict)  # relation -> rows stored
    duplicates: set[int] = field(default_factory=set)  # requests of the window
    set_aside: list[SetAside] = field(default_factory=list)


@dataclass(slots=True)
class _Entries:
    """(signal, outcome, reason) -> records, of some signals."""

    signals: frozenset[Signal]
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, signal: Signal, outcome: str, reason: str, count: int) -> None:
        if signal in self.signals:
            key = (signal.label, outcome, reason)
            self.counts[key] = self.counts.get(key, 0) + count


def ledger_entries(rows: WindowRows, written: Written) -> dict[tuple[str, str, str], int]:
    """(signal, outcome, reason) -> records, of the signals that this transaction accounts for.

    received = stored + sampled out by rule + filtered by rule + rejected by reason + duplicate.
    """
    entries = _Entries(rows.phase.signals)
    requests = rows.requests
    missing = dict.fromkeys(range(len(requests.signal)), 0)
    for request, outcome, reason, count in _not_stored(rows):
        missing[request] += count
        if request not in written.duplicates:
            entries.add(Signal(int(requests.signal[request])), outcome, reason, count)
    for record in written.set_aside:
        if not record.is_record or record.request in written.duplicates:
            continue
        count = 1
        if record.index < 0:
            count = int(requests.record_count[record.request]) - missing[record.request]
        missing[record.request] += count
        entries.add(record.signal, "rejected", record.reason.label, count)
    for request, (number, count) in enumerate(
        zip(requests.signal.tolist(), requests.record_count.tolist(), strict=True)
    ):
        signal = Signal(number)
        entries.add(signal, "received", "", count)
        if request in written.duplicates:
            entries.add(signal, "duplicate", "", count)
        else:
            entries.add(signal, "stored", "", count - missing[request])
    for (lost, why), count in rows.damaged.items():
        entries.add(lost, "received", "", count)
        entries.add(lost, "rejected", why.label, count)
    return entries.counts


def _not_stored(rows: WindowRows) -> Iterator[tuple[int, str, str, int]]:
    """(request, outcome, reason, records) of what never was a row."""
    for (request, reason), count in rows.refused.items():
        yield request, "rejected", reason.label, count
    for (request, rule), count in rows.filtered.items():
        yield request, "filtered", rule, count
    for (request, rule), count in rows.sampled.items():
        yield request, "sampled", rule, count
