"""One scan: what is stored goes through an engine of its own, batch by batch, in constant memory.

The engine is the stream's, so that the same numbers in the same order find the same. Series are looked at
one after the other; what is remembered of one is of no use to the next, and leaves as room is needed.
Measured: 3 to 6 µs a number, 2 of them here, and 10 MB whether there are 100,000 numbers or 600,000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from crucible_collector.detect.engine import Engine
from crucible_collector.detect.observations import Observations
from crucible_collector.detect.settings import Detection
from crucible_collector.enrich.observed import DURATION, ERROR_RATE
from crucible_collector.scan.observed import Series, of_spans
from crucible_collector.scan.periods import Periods
from crucible_collector.scan.report import Report
from crucible_collector.store.periods import Period
from crucible_collector.store.replay import Batch
from crucible_collector.store.scan_results import Told
from crucible_collector.store.scanned import Extent, Scanned, Wanted

SERIES_AT_ONCE = 200  # series whose numbers one question asks for
_OF_EVENTS = (DURATION, ERROR_RATE)


class Keeps(Protocol):
    """Who writes what was found (see store.scan_results)."""

    def flags(self, told: Sequence[Told]) -> None: ...

    def periods(self, periods: Sequence[Period]) -> None: ...


class CancelledError(Exception):
    """Somebody wants it to end."""


def asked_attributes(detection: Detection) -> tuple[str, ...]:
    """The attributes that rules look at."""
    return tuple(sorted({key for rule in detection.rules for key in rule.attributes}))


@dataclass(slots=True)
class Scan:
    """One scan; `progress` is told a share from 0 to 1 after each batch, and may raise CancelledError."""

    wanted: Wanted
    label: str
    detection: Detection
    progress: Callable[[float], None]
    keeps: Keeps | None = None
    report: Report = field(default_factory=Report)

    def run(self, stored: Scanned) -> Report:
        """Look at all that is wanted."""
        extent, metric = stored.extent(), self.wanted.metric
        shares = [share for share, is_wanted in self._phases(metric) if is_wanted]
        for number, phase in enumerate(shares):
            engine, periods = Engine(self.detection), Periods(self.label)
            for observations, done in phase(stored, extent):
                self._look(engine, periods, observations)
                self.progress((number + min(done, 1.0)) / len(shares))
            self._over(periods.closed())
            use = engine.use()
            self.report.value_count += use.value_count
            self.report.late_count += use.late_count
            self.report.unstored_count += use.unstored_count
            self.report.series_count += use.series_count + use.evicted_count
        return self.report

    def _phases(
        self, metric: str | None
    ) -> list[tuple[Callable[[Scanned, Extent], Iterator[tuple[Observations, float]]], bool]]:
        is_of_series = self.wanted.series is not None
        return [
            (self._points, metric not in _OF_EVENTS),
            (self._spans, not is_of_series and metric in (None, *_OF_EVENTS)),
        ]

    def _points(self, stored: Scanned, extent: Extent) -> Iterator[tuple[Observations, float]]:
        attributes, done = asked_attributes(self.detection), 0
        for rows in stored.series():
            for some in _parts(rows):
                series = Series.of(some, attributes)
                for points in stored.points(some["series_id"]):
                    place = done + points["place"][-1] - 1
                    yield series.observations(points), place / max(extent.series_count, 1)
                done += len(series.ids)

    def _spans(self, stored: Scanned, extent: Extent) -> Iterator[tuple[Observations, float]]:
        attributes, metric = asked_attributes(self.detection), self.wanted.metric
        first, last = extent.first_ns, extent.last_ns
        for spans in stored.spans():
            self.report.thinned_count += sum(p < 1 for p in spans["sample_probability"])
            done = 0.0
            if first is not None and last is not None and last > first:
                done = max(spans["start_ns"][-1] - first, 0) / (last - first)
            yield of_spans(spans, attributes, metric), done

    def _look(self, engine: Engine, periods: Periods, observations: Observations) -> None:
        told = list(periods.add(engine.look([observations]).episodes))
        if self.keeps is not None and told:
            self.keeps.flags(told)
        self._over(periods.over())

    def _over(self, periods: list[Period]) -> None:
        self.report.add(periods)
        if self.keeps is not None and periods:
            self.keeps.periods(periods)


def _parts(rows: Batch) -> Iterator[Batch]:
    """A batch of series, some at a time."""
    for begin in range(0, len(rows["series_id"]), SERIES_AT_ONCE):
        yield {name: values[begin : begin + SERIES_AT_ONCE] for name, values in rows.items()}
