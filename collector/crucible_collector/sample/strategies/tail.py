"""Tail sampling: whole traces for what some record of them is, the rest by another strategy.

Assumption: a trace's records come within `decision_wait_s` of each other. Formula: T = 0 for a trace of which
a record seen until then is an error, anomalous, slow or has an attribute's value; else the other
strategy's T. That a trace is notable does not depend on its R, so every p is right.
Guarantee: every notable trace is kept, whatever that costs (importance sampling has a budget for them);
what comes later than the wait of a trace that was not notable before is kept itself, and its p says so.
Warm-up: a quantile of an event is known after 100 records of it; until then nothing of it is slow.
Memory: 2.5 MB a quantile, and what the other strategy takes.

>>> from crucible_collector.sample.strategies.tail import Tail
>>> from crucible_collector.sample.strategies.uniform import Uniform
>>> from crucible_collector.sample.strategy_settings import TailRule
>>> errors = TailRule.model_validate({"error": True})
>>> Tail((errors,), Uniform(0.01), wait_s=10.0).wait_s
10.0
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from crucible_collector.batch import U8
from crucible_collector.candidates import KEEP_ALL, STATUS_ERROR, KeepReason
from crucible_collector.sample.strategies.latencies import Latencies
from crucible_collector.sample.strategies.strata import keys_of
from crucible_collector.sample.strategy import Flag, Rows, State, Strategy, Use, Verdict
from crucible_collector.sample.strategy_settings import TailRule

_NS_PER_MS = 1e6
# In the order of reasons; a notable trace's stratum is the place of its first.
_KEPT = (
    (Flag.ERROR, KeepReason.ERROR),
    (Flag.ANOMALY, KeepReason.ANOMALY),
    (Flag.SLOW, KeepReason.SLOW),
    (Flag.MATCH, KeepReason.MATCH),
)
_OTHERWISE = "otherwise."
_MARK = "tail"


class Tail:
    """Rules over what is known of a trace, and a strategy for what none of them keeps."""

    def __init__(self, rules: tuple[TailRule, ...], otherwise: Strategy, wait_s: float) -> None:
        self.wait_s = max(wait_s, otherwise.wait_s)
        self._rules, self._otherwise = rules, otherwise
        quantiles = {rule.slow_quantile for rule in rules if rule.slow_quantile is not None}
        self._latencies = {quantile: Latencies(quantile) for quantile in sorted(quantiles)}
        flags = [self._flag(rule) for rule in rules]
        self._asked = np.uint8(sum(int(flag) for flag in set(flags)))

    @staticmethod
    def _flag(rule: TailRule) -> Flag:
        if rule.error:
            return Flag.ERROR
        if rule.anomaly:
            return Flag.ANOMALY
        return Flag.MATCH if rule.attributes else Flag.SLOW

    def observe(self, rows: Rows) -> U8:
        flags = self._known_at_once(rows)
        if self._latencies and len(rows):
            duration_ns = rows.candidates.duration_ns[rows.at]
            keys, now_ns = keys_of(rows, ("event",)), int(rows.received_ns.max())
            for latencies in self._latencies.values():
                events = latencies.number(keys)
                flags[latencies.is_slow(events, duration_ns)] |= np.uint8(Flag.SLOW)
                latencies.count(events, duration_ns, now_ns)
        notable = np.zeros(rows.trace_count, np.bool_)
        notable[rows.trace[flags != 0]] = True
        self._otherwise.observe(_part(rows, np.flatnonzero(~notable[rows.trace])))
        return flags

    def _known_at_once(self, rows: Rows) -> U8:
        """Flags by the rules that need nothing but the record itself."""
        candidates, at = rows.candidates, rows.at
        flags = np.zeros(len(rows), np.uint8)
        for rule in self._rules:
            found: Any
            if rule.error:
                found = candidates.status_code[at] == STATUS_ERROR
            elif rule.anomaly:
                found = candidates.score[at] > 1.0
            elif rule.slower_than_ms is not None:
                found = candidates.duration_ns[at] > rule.slower_than_ms * _NS_PER_MS
            elif rule.attributes is not None:
                found = np.ones(len(rows), np.bool_)
                for attribute, value in rule.attributes.items():
                    found &= candidates.columns.has(attribute, value)[at]
            else:
                continue
            flags[found] |= np.uint8(self._flag(rule))
        return flags

    def decide(self, rows: Rows) -> Verdict:
        own = self._known_at_once(rows) | (rows.flags & self._asked)
        of_trace = np.zeros(rows.trace_count, np.uint8)
        np.bitwise_or.at(of_trace, rows.trace, own)
        flags = of_trace[rows.trace]
        found = np.full(len(rows), KEEP_ALL, np.int64)
        reason = np.zeros(len(rows), np.uint8)
        stratum = np.zeros(len(rows), np.int64)
        for place, (flag, kept) in reversed(list(enumerate(_KEPT))):
            told = (flags & flag) != 0
            reason[told], stratum[told] = kept, place
        rest = np.flatnonzero(flags == 0)
        verdict = self._otherwise.decide(_part(rows, rest))
        found[rest], reason[rest] = verdict.threshold, verdict.reason
        stratum[rest] = len(_KEPT) + (0 if verdict.stratum is None else verdict.stratum)
        return Verdict(found, reason, stratum)

    def stratum(self, number: int) -> str:
        if number < len(_KEPT):
            return str(_KEPT[number][1].label)
        return self._otherwise.stratum(number - len(_KEPT)) or "otherwise"

    def use(self) -> Use:
        return self._otherwise.use()

    def state(self) -> State:
        found = {_OTHERWISE + name: each for name, each in self._otherwise.state().items()}
        for quantile, latencies in self._latencies.items():
            found |= {f"{quantile}.{name}": each for name, each in latencies.state().items()}
        return {_MARK: np.zeros(0), **found}

    def restore(self, state: State) -> None:
        """What is slow is learned anew where the quantiles are others."""
        if _MARK not in state:
            raise ValueError("no state of tail sampling")
        self._otherwise.restore(_below(state, _OTHERWISE))
        for quantile, latencies in self._latencies.items():
            known = _below(state, f"{quantile}.")
            if known:
                latencies.restore(known)


def _below(state: State, prefix: str) -> State:
    return {
        name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)
    }


def _part(rows: Rows, places: Any) -> Rows:
    return dataclasses.replace(
        rows,
        at=rows.at[places],
        trace=rows.trace[places],
        randomness=rows.randomness[places],
        flags=rows.flags[places],
        received_ns=rows.received_ns[places],
    )
