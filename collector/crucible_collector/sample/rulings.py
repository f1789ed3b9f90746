"""The rules in force, each with its strategies: which records each is given, and what it has learned.

A rule about spans and logs has a strategy, and so a state and a budget, for each. A record goes to the
first rule that fits it. When rules change, a strategy goes on with what it has learned where its rule is
still there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import I32, I64, Bool, Signal
from crucible_collector.candidates import U64, Candidates, Columns
from crucible_collector.decode import xxh64
from crucible_collector.sample.rules import AnyRule, Rule, Rules
from crucible_collector.sample.strategy import State, Strategy, Use

NO_RULE = -1
SIGNALS = {"spans": Signal.TRACES, "logs": Signal.LOGS}

Make = Callable[[AnyRule, Signal, float], Strategy]


@dataclass(slots=True)
class RuleUse:
    """How one rule is doing with one signal, since the start of this collector."""

    rule: str
    signal: Signal
    use: Use
    seen_count: int
    kept_count: int
    weight_mean: float  # of what was kept; 1 where nothing was


@dataclass(frozen=True, slots=True)
class About:
    """What a rule is about, made ready: texts are compared by their hashes."""

    events: tuple[str, ...]
    hashes: tuple[tuple[str, U64], ...]  # by key of candidates.KEYS
    attributes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, rule: Rule) -> About:
        texts = {
            "experiment": rule.experiments,
            "service": rule.services,
            "condition": rule.conditions,
            "model": rule.models,
        }
        hashes = tuple(
            (key, np.array([xxh64(text.encode()) for text in wanted], np.uint64))
            for key, wanted in texts.items()
            if wanted
        )
        return cls(rule.events, hashes, tuple(rule.attributes.items()))

    def fits(self, columns: Columns) -> Bool | None:
        """Where it does; None: everywhere."""
        parts = [np.isin(columns.key(key), wanted) for key, wanted in self.hashes]
        if self.events:
            parts.append(columns.is_event(self.events))
        parts += [columns.has(attribute, value) for attribute, value in self.attributes]
        return np.logical_and.reduce(parts) if parts else None


@dataclass(slots=True)
class Ruling:
    """One rule of one signal."""

    number: int  # in Rules.rules
    rule: AnyRule
    signal: Signal
    about: About
    strategy: Strategy
    seen_count: int = 0
    kept_count: int = 0
    weight_sum: float = 0.0

    @property
    def place(self) -> str:
        """Where its state is kept; names of rules have no stroke."""
        return f"{self.signal.label}/{self.rule.name}"

    def add(self, seen_count: int, kept_count: int, weight_sum: float) -> None:
        self.seen_count += seen_count
        self.kept_count += kept_count
        self.weight_sum += weight_sum

    def use(self) -> RuleUse:
        weight_mean = self.weight_sum / self.kept_count if self.kept_count else 1.0
        counts = self.seen_count, self.kept_count, weight_mean
        return RuleUse(self.rule.name, self.signal, self.strategy.use(), *counts)


class Rulings:
    """The rules in force, in their order."""

    def __init__(self, rules: Rules, make: Make) -> None:
        self._make = make
        self.rules = rules
        self._rulings: dict[tuple[str, Signal], Ruling] = {}
        self.change(rules)

    def __len__(self) -> int:
        return len(self._rulings)

    def __iter__(self) -> Iterator[Ruling]:
        return iter(self._rulings.values())

    def assign(self, candidates: Candidates) -> tuple[I32, list[tuple[Ruling, I64]]]:
        """The number of each record's rule (NO_RULE: none, or not wanted), and each rule's records."""
        number = np.full(len(candidates), NO_RULE, np.int32)
        undecided = candidates.wanted
        found: list[tuple[Ruling, I64]] = []
        for ruling in self:
            if ruling.signal != candidates.signal:
                continue
            fits = ruling.about.fits(candidates.columns)
            chosen = undecided if fits is None else undecided & fits
            at = np.flatnonzero(chosen)
            if len(at):
                number[at] = ruling.number
                found.append((ruling, at))
            if fits is None:
                break
            undecided = undecided & ~chosen
        return number, found

    def change(self, rules: Rules) -> None:
        """Put other rules in force."""
        before, waited_s = self._rulings, self.rules.decision_wait_s
        rulings: dict[tuple[str, Signal], Ruling] = {}
        self.rules = rules
        for number, rule in enumerate(rules.rules):
            about = About.of(rule)
            for signal in (SIGNALS[name] for name in rule.signals):
                old = before.get((rule.name, signal))
                strategy = self._strategy(rule, signal, old, waited_s)
                made = Ruling(number, rule, signal, about, strategy)
                if old is not None:
                    made.add(old.seen_count, old.kept_count, old.weight_sum)
                rulings[rule.name, signal] = made
        self._rulings = rulings  # at once: metrics are read by other threads

    def restore(self, ruling: Ruling, state: State) -> None:
        """Let a rule go on from `state`; where there is none, or none that fits, it begins anew."""
        ruling.strategy = self._restored(ruling.rule, ruling.signal, state)

    def _strategy(
        self, rule: AnyRule, signal: Signal, old: Ruling | None, waited_s: float
    ) -> Strategy:
        """The strategy of a rule, with what the old one has learned where that can be taken over."""
        wait_s = self.rules.decision_wait_s
        if old is None or old.rule.strategy != rule.strategy:
            return self._make(rule, signal, wait_s)
        if old.rule.settings == rule.settings and waited_s == wait_s:
            return old.strategy
        return self._restored(rule, signal, old.strategy.state())

    def _restored(self, rule: AnyRule, signal: Signal, state: State) -> Strategy:
        strategy = self._make(rule, signal, self.rules.decision_wait_s)
        if not state:
            return strategy
        try:
            strategy.restore(state)
        except (ValueError, KeyError, IndexError):  # of settings, or a release, too different
            return self._make(rule, signal, self.rules.decision_wait_s)
        return strategy
