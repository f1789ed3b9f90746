"""What decisions come to: records, bytes and rows a second by rule, and the sums that answers are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crucible_collector.api.in_force import About, InForce, RuleInForce, Thinning
from crucible_collector.batch import F64, I64, Bool, Signal
from crucible_collector.candidates import STATUS_ERROR, Candidates, Decided, probability
from crucible_collector.enrich.partials import duration_bucket
from crucible_collector.sample.rules import Rules
from crucible_collector.simulate.records import (
    END,
    codes,
    column,
    or_nan,
    stored_threshold,
)
from crucible_collector.simulate.report import RuleOutcome
from crucible_collector.simulate.sums import Events, Kept, Seen, Sums
from crucible_collector.simulate.terms import Terms

SECOND_NS = 1_000_000_000
# As sample.variance names what it is given: rows of the sums' measures.
_VALUES = {2: "duration", 3: "input_token", 4: "output_token", 5: "cost"}
_SIGNALS = (Signal.TRACES, Signal.LOGS)
_SETTING = {"spans": 0, "logs": 1}  # as rules name them


class Busiest:
    """Of each of some groups, how many records came in the second in which most did."""

    def __init__(self, groups: int) -> None:
        self._second = np.iinfo(np.int64).min
        self._now = np.zeros(groups, np.int64)
        self._most = np.zeros(groups, np.int64)

    def add(self, ends_ns: I64, group: I64) -> None:
        """Count records, which come in the order of their ends."""
        second = ends_ns // SECOND_NS
        for each in np.unique(second).tolist():
            if each > self._second:
                self._second = each
                self._now[:] = 0
            self._now += np.bincount(group[second == each], minlength=len(self._now))
            np.maximum(self._most, self._now, out=self._most)

    @property
    def most(self) -> list[int]:
        found: list[int] = self._most.tolist()
        return found


@dataclass(slots=True)
class _Counts:
    """Of each group the records and the bytes of their rows."""

    records: I64
    bytes: I64
    busiest: Busiest

    @classmethod
    def of(cls, groups: int) -> _Counts:
        return cls(np.zeros(groups, np.int64), np.zeros(groups, np.int64), Busiest(groups))

    def add(self, ends_ns: I64, group: I64, row_bytes: I64) -> None:
        self.records += np.bincount(group, minlength=len(self.records))
        weighed = np.bincount(group, row_bytes, len(self.bytes))
        self.bytes += weighed.astype(np.int64)
        self.busiest.add(ends_ns, group)


class Tally:
    """One thread adds decided records, window by window, in the order of their ends."""

    def __init__(self, rules: Rules) -> None:
        self._names: list[str | None] = [None, *(rule.name for rule in rules.rules)]
        # What nobody is about is told where there is some, and a rule that fits nothing, to be noticed.
        self._about = {
            (place, _SETTING[signal])
            for place, rule in enumerate(rules.rules, 1)
            for signal in rule.signals
        }
        by_rule, by_signal = len(self._names), 1
        self._rules = rules
        self._least = np.ones((2, by_rule))  # of all spans, of those with an error
        self._error_count = np.zeros(by_rule, np.int64)
        self._most = np.ones(by_rule, np.int64)  # spans of one trace in a window
        self._seen = [_Counts.of(by_rule) for _ in _SIGNALS]
        self._kept = [_Counts.of(by_rule) for _ in _SIGNALS]
        self._all_seen = [_Counts.of(by_signal) for _ in _SIGNALS]
        self._all_kept = [_Counts.of(by_signal) for _ in _SIGNALS]
        self._terms = Terms()
        self.events = Events()
        self.sums = Sums()
        self.thinned_count = 0

    def add(self, looked_at: Candidates, decided: Decided, table: pa.Table) -> None:
        """Add the records of one signal of a window."""
        self._count(_SIGNALS.index(looked_at.signal), decided, table)
        before = np.maximum(stored_threshold(table), 0)
        self.thinned_count += int((before > 0).sum())
        if looked_at.signal is Signal.TRACES:
            # A row whose stored threshold contradicts its R was kept under it all the same.
            final = probability(np.maximum(decided.threshold, before))
            self._add_spans(looked_at, decided.keep, final, probability(before), table)
            self._add_least(looked_at, decided, final)

    def _add_least(self, looked_at: Candidates, decided: Decided, final: F64) -> None:
        rule, is_error = decided.rule.astype(np.int64) + 1, looked_at.status_code == STATUS_ERROR
        np.minimum.at(self._least[0], rule, final)
        np.maximum.at(self._most, rule, decided.trace_count.astype(np.int64))
        np.minimum.at(self._least[1], rule[is_error], final[is_error])
        self._error_count += np.bincount(rule[is_error], minlength=len(self._names))

    def in_force(self) -> InForce:
        """What the sampling ledger would have said of the rules that saw a span."""
        seen = self._seen[0].records
        return InForce(
            tuple(
                RuleInForce(
                    (About(rule.events, rule.experiments, rule.models),), self._thinning(number)
                )
                for number, rule in enumerate(self._rules.rules, 1)
                if seen[number]
            )
        )

    def _thinning(self, rule: int) -> Thinning:
        least, of_errors = map(float, self._least[:, rule])
        errors, kept = int(self._error_count[rule]), int(self._kept[0].records[rule])
        most = int(self._most[rule])
        return Thinning(least, of_errors if errors else None, errors, kept, most)

    def _count(self, signal: int, decided: Decided, table: pa.Table) -> None:
        ends, row_bytes = column(table, END), column(table, "row_bytes")
        rule, keep = decided.rule.astype(np.int64) + 1, decided.keep
        every = np.zeros(len(rule), np.int64)
        self._seen[signal].add(ends, rule, row_bytes)
        self._kept[signal].add(ends[keep], rule[keep], row_bytes[keep])
        self._all_seen[signal].add(ends, every, row_bytes)
        self._all_kept[signal].add(ends[keep], every[keep], row_bytes[keep])

    def _add_spans(
        self, looked_at: Candidates, keep: Bool, final: F64, stored: F64, table: pa.Table
    ) -> None:
        duration = looked_at.duration_ns
        is_error = looked_at.status_code == STATUS_ERROR
        cost = or_nan(table, "cost_usd")
        values = np.stack(
            [
                np.ones(len(table)),
                is_error.astype(np.float64),
                duration.astype(np.float64),
                or_nan(table, "input_tokens"),
                or_nan(table, "output_tokens"),
                np.where(np.isfinite(cost), cost, np.nan),
            ]
        )
        event = self.events.rows(*codes(table, "event_name"))
        bucket = duration_bucket(duration).astype(np.int64)
        seen = Seen(event, values, bucket, stored, final)
        at = np.flatnonzero(keep)
        terms = self._terms.of(
            looked_at.trace_id[at],
            looked_at.columns.key("event")[at],
            bucket[at],
            final[at],
            is_error[at],
            {name: values[measure][at] for measure, name in _VALUES.items()},
        )
        self.sums.add(seen, Kept(at, final[at], terms))

    def span_count(self) -> int:
        return int(self._all_seen[0].records[0])

    def log_count(self) -> int:
        return int(self._all_seen[1].records[0])

    def rules(self) -> tuple[RuleOutcome, ...]:
        """By rule, in the order of the settings, and signal; what nobody is about is last."""
        order = [*range(1, len(self._names)), 0]
        return tuple(
            self._outcome(self._names[rule], signal, rule, self._seen, self._kept)
            for rule in order
            for signal in range(len(_SIGNALS))
            if self._seen[signal].records[rule] or (rule, signal) in self._about
        )

    def totals(self) -> tuple[RuleOutcome, ...]:
        """By signal."""
        return tuple(
            self._outcome(None, signal, 0, self._all_seen, self._all_kept)
            for signal in range(len(_SIGNALS))
        )

    def _outcome(
        self, rule: str | None, signal: int, group: int, seen: list[_Counts], kept: list[_Counts]
    ) -> RuleOutcome:
        before, after = seen[signal], kept[signal]
        return RuleOutcome(
            rule=rule,
            signal=_SIGNALS[signal].label,
            seen_count=int(before.records[group]),
            kept_count=int(after.records[group]),
            seen_bytes=int(before.bytes[group]),
            kept_bytes=int(after.bytes[group]),
            seen_per_s_max=before.busiest.most[group],
            kept_per_s_max=after.busiest.most[group],
        )
