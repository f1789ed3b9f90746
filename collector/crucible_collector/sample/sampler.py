"""Rules, traces, memory and what senders sampled, put together: which records of a window are kept.

A record goes to the first rule that fits it; the rule's strategy gives a threshold; a trace takes the
smallest of its records, and of those under which it was kept before, as far as that is remembered; who
sampled before it came counts where that was stricter. Kept is what has a randomness not below.

One thread calls it, window by window in the order of the journal. That a decision is right never hangs
on what is remembered: any threshold that does not depend on the trace's own randomness gives
probabilities that are true, and a trace is remembered under a threshold that it passes, under which it
is kept later as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from crucible_collector.batch import I32, I64, U8, Signal
from crucible_collector.candidates import Candidates, Counted, Decided
from crucible_collector.kernels import writable
from crucible_collector.sample import ledger
from crucible_collector.sample.memory import Generations
from crucible_collector.sample.notable import Notable, flag_traces, raise_flags
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.rulings import SIGNALS, Make, RuleUse, Ruling, Rulings
from crucible_collector.sample.settle import (
    NOTHING,
    follow,
    is_sampled,
    keep_all,
    keep_whole,
    lower,
    settle,
)
from crucible_collector.sample.strategies import made
from crucible_collector.sample.strategy import Rows, State
from crucible_collector.sample.traces import Traces, dense, number
from crucible_collector.sample.variance import Variances

# Kept traces that are remembered for sure: two minutes of 2,000 a second. Two tables take 17 MB.
TRACES_MAX = 262_144
# Traces whose randomness is told by `rv`, kept or not, so that records that lost it agree. 8 MB.
EXPLICIT_MAX = 131_072


@dataclass(slots=True)
class _Asked:
    """What the rules of one signal say of a window; the arrays have one value a trace."""

    least: I64  # the smallest threshold, NOTHING where no rule is about any record
    why: U8  # KeepReason of who said it
    count: I32  # records of the signal
    rule: dict[int, I32] = field(default_factory=dict)  # by place in the window: each record's
    ruled: list[tuple[int, Ruling, ledger.Ruled]] = field(default_factory=list)


class Sampler:
    """Decides about windows. Without rules everything is kept at hardly any cost."""

    def __init__(self, rules: Rules, make: Make = made) -> None:
        self._rulings = Rulings(rules, make)
        self._traces = Generations(TRACES_MAX)
        self._explicit = Generations(EXPLICIT_MAX)
        self._notable = Notable()
        self._counted = Counted()
        self._tally = ledger.Tally()
        # Of the rows that are made of what it decides to keep, in the order of the decisions.
        self.variances = Variances()

    @property
    def rules(self) -> Rules:
        """Those in force."""
        return self._rulings.rules

    @property
    def wait_s(self) -> float:
        """How much later than its receipt a record is to be decided; 0 where no strategy waits."""
        return max((each.strategy.wait_s for each in self._rulings), default=0.0)

    @property
    def evicted_count(self) -> int:
        """Traces that were forgotten to stay within bounds: kept ones, and notable undecided ones."""
        return self._traces.evicted_count + self._notable.evicted_count

    def change(self, rules: Rules) -> None:
        """Put other rules in force; one of the same name, strategy and signal goes on as it is."""
        self._rulings.change(rules)

    def observe(self, window: Sequence[Candidates], end: int) -> None:
        """Look at a window that is decided later; `end`: the journal's position after it."""
        if not self._rulings:
            return
        traces = self._numbered(window)
        flags = np.zeros(len(traces), np.uint8)
        for place, candidates in enumerate(window):
            flag_traces(candidates, traces.of[place], flags)
        nothing = np.zeros(len(traces), np.uint8)
        for place, candidates in enumerate(window):
            _, asked = self._rulings.assign(candidates)
            for ruling, at in asked:
                if ruling.strategy.wait_s > 0:
                    rows = _rows(window, place, at, traces, nothing)
                    raised = ruling.strategy.observe(rows)
                    raise_flags(traces.of[place], rows.at, raised, flags)
        self._notable.add(traces.key, flags, end)

    def decide(self, window: Sequence[Candidates], end: int) -> list[Decided]:
        """One decision for each Candidates, spans before logs; `end` as in `observe`.

        Where nothing is sampled, by rules or by who sent it, records of a trace are not counted.
        """
        self._counted = Counted()
        if not self._rulings and not any(map(is_sampled, window)):
            return [keep_all(candidates) for candidates in window]
        traces = self._numbered(window)
        flags = self._notable.get(traces.key)
        for place, candidates in enumerate(window):
            flag_traces(candidates, traces.of[place], flags)
        asked = {signal: self._ask(window, signal, traces, flags) for signal in SIGNALS.values()}
        self._join(traces, asked[Signal.TRACES], asked[Signal.LOGS])
        decided = []
        for place, candidates in enumerate(window):
            of = asked[candidates.signal]
            trace, rule = traces.of[place], of.rule[place]
            decided.append(settle(candidates, traces, trace, rule, of.least, of.why, of.count))
        self._count(window, decided, asked)
        self._notable.decided(end)
        return decided

    def counted(self) -> Counted:
        """What the last `decide` saw and kept, for the ledger."""
        return self._counted

    def tally(self) -> ledger.Tally:
        """What the last `decide` counted, record by record."""
        return self._tally

    def use(self) -> list[RuleUse]:
        """How each rule is doing with each of its signals."""
        return [ruling.use() for ruling in self._rulings]

    def state(self) -> State:
        """What it has learned, as arrays that `restore` takes back under the same rules."""
        parts: dict[str, State] = {
            "traces": self._traces.state(),
            "explicit": self._explicit.state(),
            "notable": self._notable.state(),
            "variances": self.variances.state(),
        }
        parts |= {ruling.place: ruling.strategy.state() for ruling in self._rulings}
        return {f"{part}/{name}": each for part in parts for name, each in parts[part].items()}

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises ValueError where its memories are not of this version.

        A rule whose state is not in it, or cannot be taken over, begins anew.
        """
        traces, explicit = Generations(TRACES_MAX), Generations(EXPLICIT_MAX)
        notable, variances = Notable(), Variances()
        try:
            traces.restore(_part(state, "traces"))
            explicit.restore(_part(state, "explicit"))
            notable.restore(_part(state, "notable"))
            variances.restore(_part(state, "variances"))
        except KeyError as error:
            raise ValueError(f"no memory of traces: {error} is missing") from None
        self._traces, self._explicit = traces, explicit
        self._notable, self.variances = notable, variances
        for ruling in self._rulings:
            self._rulings.restore(ruling, _part(state, ruling.place))

    def _numbered(self, window: Sequence[Candidates]) -> Traces:
        """The window's traces, with the explicit randomness that other records of them have told."""
        traces = number(window)
        if len(self._explicit):
            known, is_known = self._explicit.get(traces.key)
            is_known &= traces.is_trace
            traces.randomness[is_known] = known[is_known, 0]
            traces.is_explicit |= is_known
        told = traces.is_explicit
        if told.any():
            self._explicit.put(traces.key[told], traces.randomness[told].reshape(-1, 1))
        return traces

    def _ask(
        self, window: Sequence[Candidates], signal: Signal, traces: Traces, flags: U8
    ) -> _Asked:
        """Ask the rules of a signal about its records."""
        places = [at for at, each in enumerate(window) if each.signal == signal]
        count = len(traces)
        asked = _Asked(
            np.full(count, NOTHING, np.int64), np.zeros(count, np.uint8), traces.count(places)
        )
        for place in places:
            asked.rule[place], of = self._rulings.assign(window[place])
            for ruling, at in of:
                rows = _rows(window, place, at, traces, flags)
                _ask_one(ruling, rows, place, traces.of[place], asked)
        return asked

    def _join(self, traces: Traces, spans: _Asked, logs: _Asked) -> None:
        """Put together what both signals' rules and the memory say of each trace, and remember it.

        Only of traces that some rule is about; logs follow the spans of their trace, never the
        reverse.
        """
        for place, rule in spans.rule.items():
            keep_whole(traces.of[place], rule, spans.least, spans.why)
        is_ruled = spans.least < NOTHING
        asking = np.flatnonzero(traces.is_trace & (is_ruled | (logs.least < NOTHING)))
        before = np.full(len(traces), NOTHING, np.int64)
        remembered, is_known = self._traces.get(traces.key[asking])
        before[asking[is_known]] = remembered[is_known, 0]
        follow(before, spans.least, spans.why)
        follow(np.where(is_ruled, spans.least, before), logs.least, logs.why)
        kept = is_ruled & traces.is_trace & (traces.randomness >= spans.least)
        self._traces.put(traces.key[kept], spans.least[kept].reshape(-1, 1))

    def _count(
        self, window: Sequence[Candidates], decided: list[Decided], asked: dict[Signal, _Asked]
    ) -> None:
        self._tally = ledger.Tally()
        for each in asked.values():
            for place, ruling, ruled in each.ruled:
                self._tally.parts.append((place, ruled, window[place], decided[place]))
                seen, kept, weight = ledger.count(
                    ruled, window[place], decided[place], self._counted
                ).tolist()
                ruling.add(int(seen), int(kept), weight)


def _ask_one(ruling: Ruling, rows: Rows, place: int, trace: I64, asked: _Asked) -> None:
    strategy = ruling.strategy
    verdict = strategy.decide(rows)
    threshold, reason = (
        writable(verdict.threshold, np.int64),
        writable(verdict.reason, np.uint8),
    )
    lower(trace, rows.at, threshold, reason, asked.least, asked.why)
    group, names = ledger.grouped(verdict.stratum, strategy.stratum, len(rows))
    ruled = ledger.Ruled(ruling.rule.name, ruling.signal, rows.at, group, names)
    asked.ruled.append((place, ruling, ruled))


def _rows(window: Sequence[Candidates], place: int, at: I64, traces: Traces, flags: U8) -> Rows:
    """Records of one Candidates for a strategy, their traces numbered without gaps."""
    candidates, trace = window[place], traces.of[place]
    if len(window) == 1 and len(at) == len(candidates):
        numbers, count, received_ns = trace, len(traces), candidates.received_ns
    else:
        numbers, count = dense(trace, at, len(traces))
        trace, received_ns = trace[at], candidates.received_ns[at]
    return Rows(candidates, at, numbers, count, traces.randomness[trace], flags[trace], received_ns)


def _part(state: State, place: str) -> State:
    prefix = f"{place}/"
    return {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
