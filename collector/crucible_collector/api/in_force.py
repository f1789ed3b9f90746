"""How strictly events of a group were sampled in a period, whatever was kept of them.

Rows that were all kept with p = 1 are no proof that there were no others: of those a stricter threshold
may have left nothing. What tells is the sampling ledger, by rule, with what the rule was about in every
version of the settings that was in force meanwhile. A rule may have seen a group's events unless what is
known of the group (by filters and by what is grouped by) contradicts it; services, conditions and
attributes never are known, nor the strata of a rule.

The ledger is by time of receipt, events by that of their start, so it is asked about some time more:
`LATE`, and for groups that last longer the longest duration that was kept. What senders held back for
longer than that, as through an outage, is in the ledger at another time, and not looked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crucible_collector.enrich.candidates import is_named
from crucible_collector.store.read import Reads

# Exporters' batches, retries and the wait of a decision: so much later than it ended a span is received.
LATE = timedelta(minutes=10)
# A duration may say 292 years; nothing takes longer whose rules anybody asks for.
_LONGEST = timedelta(days=366)

# What is known of events: of these names those that are, with None for events that have none.
Known = Mapping[str, str | None]
_COLUMNS = {"event": "event_name", "experiment": "experiment_id", "model": "model"}


@dataclass(frozen=True, slots=True)
class About:
    """What one version of a rule is about; what is empty is not asked for."""

    events: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def may_fit(self, known: Known) -> bool:
        """Whether it may be about events of which this is known."""
        return (
            self._has_event(known)
            and _has(self.experiments, known, "experiment")
            and _has(self.models, known, "model")
        )

    def _has_event(self, known: Known) -> bool:
        if not self.events or "event" not in known:
            return True
        return any(is_named(each, known["event"] or "") for each in self.events)


def _has(wanted: Collection[str], known: Known, name: str) -> bool:
    return not wanted or name not in known or known[name] in wanted


@dataclass(frozen=True, slots=True)
class Thinning:
    """What the ledger says of the rules that may have been about some events, all together."""

    probability_min: float
    error_probability_min: float | None  # None where no error was seen
    error_seen_count: int
    kept_count: int
    trace_count_max: int = 1  # the most spans that one trace had in a window

    def least(self, status: str | None) -> float:
        """The smallest probability in force of events with this status; None: of any."""
        if status != "error":
            return self.probability_min
        return 1.0 if self.error_probability_min is None else self.error_probability_min


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """One rule in a period: what it was about, version by version, and what it did."""

    about: tuple[About, ...]  # empty: no version of that time has it, and it may be about anything
    did: Thinning

    def may_fit(self, known: Known) -> bool:
        return not self.about or any(each.may_fit(known) for each in self.about)


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules that saw a span in a period."""

    rules: tuple[RuleInForce, ...] = ()

    def on(self, known: Known) -> Thinning | None:
        """What was done to events of which this is known; None where no rule saw any such."""
        fitting = [rule.did for rule in self.rules if rule.may_fit(known)]
        if not fitting:
            return None
        of_errors = [each.error_probability_min for each in fitting if each.error_seen_count]
        return Thinning(
            probability_min=min(each.probability_min for each in fitting),
            error_probability_min=min((p for p in of_errors if p is not None), default=None),
            error_seen_count=sum(each.error_seen_count for each in fitting),
            kept_count=sum(each.kept_count for each in fitting),
            trace_count_max=max(each.trace_count_max for each in fitting),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question says of all the events that it is about, and what of those of each row."""

    start: datetime | None
    end: datetime | None
    known: Known  # by its filters
    group_by: Collection[str] = ()
    status: str | None = None  # the only one asked for

    def known_of(self, row: Mapping[str, Any]) -> Known:
        told = {name: row[column] for name, column in _COLUMNS.items() if name in self.group_by}
        return {**self.known, **told}

    def status_of(self, row: Mapping[str, Any]) -> str | None:
        found: str | None = row.get("status") or self.status
        return found


def in_force(reads: Reads, asked: Asked, longest: timedelta = timedelta()) -> InForce:
    """What the sampling ledger says about a period; `longest`: of the durations that were kept."""
    found = reads.json_rows(
        "sampling_in_force",
        from_time=asked.start,
        to_time=asked.end,
        late=LATE + min(longest, _LONGEST),
        taken_up_within=LATE,
    )
    return InForce(tuple(_rule(json.loads(row)) for row in found))


def _rule(row: dict[str, Any]) -> RuleInForce:
    about = tuple(
        About(*(_texts(each[name]) for name in ("events", "experiments", "models")))
        for each in row.pop("about") or ()
    )
    return RuleInForce(about, Thinning(**row))


def _texts(given: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(given or ())
