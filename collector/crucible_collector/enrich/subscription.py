"""Which events are kept: allow and deny by name, as the settings say.

A rule is an event's name or its beginning up to a dot: `crucible_train.batch`, which may be written
`crucible_train.batch.*`, is a rule for itself and for `crucible_train.batch.stop`, not for
`crucible_train.batches`; `*` is one for every name. Of several that fit, the longest decides, and deny
where both have it. Where anything is allowed, what no rule fits is left out. Names are the registry's
own, whatever alias an event was sent under; a log record without an event name is always kept.

What is left out leaves no row, no point and no word about its run; the ledger counts it as `filtered`,
with the rule as the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import Bool, Records
from crucible_collector.enrich.events import EventNames


@dataclass(frozen=True, slots=True)
class Subscription:
    """The rules in force. Without any, everything is kept."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.allow or self.deny)

    def refusal(self, event: str) -> str | None:
        """Name the rule that leaves an event out; None where it is kept."""
        allowed, denied = _longest(self.allow, event), _longest(self.deny, event)
        if denied is not None and (allowed is None or len(_name(denied)) >= len(_name(allowed))):
            return f"events_deny={denied}"
        if allowed is None and self.allow:
            return "events_allow"
        return None


EVERYTHING = Subscription()


def _longest(rules: tuple[str, ...], event: str) -> str | None:
    fitting = (
        rule for rule in rules if not _name(rule) or f"{event}.".startswith(f"{_name(rule)}.")
    )
    return max(fitting, key=lambda rule: len(_name(rule)), default=None)


def _name(rule: str) -> str:
    return rule.removesuffix("*").removesuffix(".")


def leave_out(
    subscription: Subscription,
    records: Records,
    keep: Bool,
    events: EventNames,
    filtered: dict[tuple[int, str], int],
) -> Bool:
    """Return `keep` without the events that are left out, and count those by request and rule."""
    if not subscription:
        return keep
    refusals = [subscription.refusal(name) if name else None for name in events.names]
    for rule in {each for each in refusals if each is not None}:
        is_out = np.array([each == rule for each in refusals])[events.code] & keep
        requests, counts = np.unique(records.request[is_out], return_counts=True)
        for request, count in zip(requests.tolist(), counts.tolist(), strict=True):
            filtered[request, rule] = filtered.get((request, rule), 0) + count
        keep = keep & ~is_out
    return keep
