"""Numbers of events, by time and by group: asked of roll-ups where these know them, else of raw rows.

Roll-ups know experiment, run, event, model and status, of durations everything but the standard deviation and
of costs and tokens their sums. A page of groups comes from one question; of those that were sampled a second
one tells how their numbers lie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from fastapi.exceptions import RequestValidationError

from crucible_collector.api.answer import compact
from crucible_collector.api.group_places import Place
from crucible_collector.api.in_force import LATE, Asked, Known, in_force
from crucible_collector.api.intervals import Spread
from crucible_collector.api.numbers import Group, Told, Variances, percentiles_of, spread_of
from crucible_collector.api.questions import GROUPS_MAX, Chosen, fraction_of
from crucible_collector.api.where import RESOURCE, attribute_of, other_names
from crucible_collector.store.pieces import Pieces, cut, rimmed
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE, Level

WIDTHS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
}
LEVELS: dict[str, tuple[Level, ...]] = {
    **dict.fromkeys(("1m", "5m", "15m"), (MINUTE,)),
    **dict.fromkeys(("1h", "6h"), (HOUR, MINUTE)),
    **dict.fromkeys(("1d", "none"), (DAY, HOUR, MINUTE)),
}
# Percentiles of raw rows sort them: a million take about 3 s, and 100 MB of the database's disk.
ROWS_MAX = 1_000_000
# Each page makes all groups anew, so a list of more would be read in vain time and again.
GROUP_COUNT_MAX = 50_000

_ROLLED_GROUPS = frozenset(("experiment", "run", "event", "model", "status"))
_ROLLED = {
    "count": {"count", "sum"},
    "errors": {"count", "sum"},
    "error_rate": {"avg"},
    "duration": {"count", "sum", "avg", "min", "max"},
    "cost": {"sum", "max"},
    "input_tokens": {"sum", "max"},
    "output_tokens": {"sum", "max"},
}
SHARE = "error_rate"


@dataclass(frozen=True, slots=True)
class Question:
    """Which number of which events, by what, from when to when; `metric` is built in or `attribute`."""

    metric: str
    aggregations: Sequence[str]
    chosen: Chosen = field(default_factory=lambda: Chosen.model_validate({}))
    attribute: str | None = None
    group_by: Sequence[str] = ()
    interval: str = "none"
    start: datetime | None = None
    end: datetime | None = None
    is_read: bool = False  # raw rows answer, whatever roll-ups know

    @property
    def fractions(self) -> list[float]:
        found = [fraction_of(each) for each in self.aggregations]
        return [each for each in found if each is not None]

    @property
    def is_rolled(self) -> bool:
        """Whether roll-ups answer it."""
        chosen = self.chosen
        one_of_each = all(
            len(getattr(chosen, name)) <= 1
            for name in ("experiment", "run", "event", "model", "status")
        )
        others = (chosen.condition, chosen.service, chosen.correlation, chosen.kind, chosen.where)
        known = _ROLLED.get(self.metric, set())
        plain = {each for each in self.aggregations if fraction_of(each) is None}
        return (
            not self.is_read
            and one_of_each
            and not any(others)
            and set(self.group_by) <= _ROLLED_GROUPS
            and plain <= known
            and (not self.fractions or (self.metric == "duration" and self._latencies_are_rolled))
        )

    @property
    def _latencies_are_rolled(self) -> bool:
        by_run = self.chosen.run or "run" in self.group_by
        return not by_run and self.interval in ("1h", "6h", "1d", "none")

    def dimensions(self) -> dict[str, Any]:
        """What is grouped by, as parameters of queries."""
        found: dict[str, Any] = {}
        for number in range(1, GROUPS_MAX + 1):
            given = self.group_by[number - 1] if number <= len(self.group_by) else None
            kind, name = _dimension(given)
            found |= {f"group_{number}": kind, f"name_{number}": name}
            found[f"others_{number}"] = list(other_names(name or "")) or None
        return found

    def asked(self) -> Asked:
        """For the sampling ledger: what is known of all events that are meant."""
        known: dict[str, str | None] = {}
        for name in ("event", "experiment", "model"):
            values = getattr(self.chosen, name)
            if len(values) == 1:
                known[name] = values[0]
        return Asked(self.start, self.end, known)


def _dimension(given: str | None) -> tuple[str | None, str | None]:
    if given is None:
        return None, None
    if given.startswith(RESOURCE):
        return "resource", given.removeprefix(RESOURCE)
    attribute = attribute_of(given)
    return ("attribute", attribute) if attribute is not None else (given, None)


def told_groups(
    reads: Reads, question: Question, place: Place | None = None
) -> list[tuple[Group, Told]]:
    """Groups in the order of their keys, `limit` at most, with what is told of each.

    RequestValidationError where there are too many groups, or raw rows to be sorted.
    """
    place = place or Place()
    groups, spreads = (_rolled if question.is_rolled else _raw)(reads, question, place)
    asked, forces = question.asked(), {}
    if groups or (question.interval == "none" and not question.group_by and place.key is None):
        soon = in_force(reads, asked)
        longest = max((_longest(group) for group in groups), default=timedelta())
        forces = {False: soon, True: in_force(reads, asked, longest) if longest > LATE else soon}
    if not groups and forces:
        nothing = Group((None,) * (GROUPS_MAX + 1), 0)
        groups = [nothing]
    found = []
    for group in groups:
        force = forces[_longest(group) > LATE].on(_known(asked.known, question, group))
        status = _status(question, group)
        is_share = question.metric == SHARE
        told = Told(group, force, spreads.get(group.key), status=status, is_share=is_share)
        if group.stored_count or group.non_finite_count or told.is_estimated:
            found.append((group, told))
    return found


def _longest(group: Group) -> timedelta:
    return timedelta(milliseconds=group.duration_max_ns / 1e6)


def _known(known: Known, question: Question, group: Group) -> Known:
    of_group = zip(question.group_by, group.key[1:], strict=False)
    return {
        **known,
        **{name: value for name, value in of_group if name in ("event", "experiment", "model")},
    }


def _status(question: Question, group: Group) -> str | None:
    if question.metric == "errors":
        return "error"
    by_group = dict(zip(question.group_by, group.key[1:], strict=False)).get("status")
    chosen = question.chosen.status
    return by_group or (chosen[0] if len(chosen) == 1 else None)


Answered = tuple[list[Group], Mapping[tuple[str | None, ...], Spread]]


def _raw(reads: Reads, question: Question, place: Place) -> Answered:
    sorts = bool(question.fractions)
    others = other_names(question.attribute or "")
    parameters = {
        "metric": question.metric,
        "attribute": question.attribute,
        "others": list(others) or None,
        "scales": list(others.values()),
        "width": WIDTHS.get(question.interval),
        "from_time": question.start,
        "to_time": question.end,
        "rows_max": ROWS_MAX + 1 if sorts else None,
        **question.dimensions(),
        **question.chosen.chosen(),
    }
    rows = [
        json.loads(text)
        for text in reads.json_rows(
            "number_sums",
            **parameters,
            fractions=question.fractions,
            last_key=place.key,
            skip=place.skip,
            limit=place.limit,
        )
    ]
    _check(rows, rows_max=ROWS_MAX if sorts else None)
    groups = [_group(row, question.metric, question.fractions) for row in rows]
    wanted = [group.key for group in groups if group.probability_min < 1]
    if not wanted or not (sorts or "std" in question.aggregations):
        return groups, {}
    texts = reads.json_rows("number_spreads", **parameters, groups=compact(wanted))
    return groups, _spreads(texts)


def _rolled(reads: Reads, question: Question, place: Place) -> Answered:
    pieces = cut(question.start, question.end, LEVELS[question.interval])
    if not pieces:
        return [], {}
    one_event = bool(question.chosen.event) or "event" in question.group_by
    chosen = _one_of_each(question.chosen)
    parameters = {
        "metric": question.metric,
        "width": WIDTHS.get(question.interval),
        **question.dimensions(),
        **chosen,
    }

    def ask(sums: Pieces, terms: str) -> list[dict[str, Any]]:
        texts = reads.json_rows(
            "number_sums_rolled",
            sums=sums,
            terms=terms,
            **parameters,
            last_key=place.key,
            skip=place.skip,
            limit=place.limit,
        )
        return list(map(json.loads, texts))

    rows = ask(pieces, "none")
    if any(row["probability_min"] < 1 for row in rows):
        rows = ask(rimmed(pieces, MINUTE), "event" if one_event else "traces")
    _check(rows)
    groups = [_group(row, question.metric, ()) for row in rows]
    if not question.fractions or not groups:
        return groups, {}
    levels = tuple(level for level in LEVELS[question.interval] if level is not MINUTE)
    texts = reads.json_rows(
        "number_spreads_rolled",
        latencies=cut(question.start, question.end, levels),
        groups=compact([group.key for group in groups]),
        **parameters,
    )
    spreads = _spreads(texts)
    with_percentiles = [
        replace(group, percentiles=percentiles_of(spreads[group.key], question.fractions))
        if group.key in spreads
        else group
        for group in groups
    ]
    return with_percentiles, {
        group.key: _widened(group, spreads) for group in groups if group.key in spreads
    }


def _widened(group: Group, spreads: Mapping[tuple[str | None, ...], Spread]) -> Spread:
    """Traces may have spans of several events, whose variances the buckets have apart."""
    spread = spreads[group.key]
    total = float(spread.variance.sum())
    return (
        replace(spread, widening=max(1.0, group.variances.count / total)) if total > 0 else spread
    )


def _one_of_each(chosen: Chosen) -> dict[str, Any]:
    statuses = chosen.chosen()["statuses"] or [None]
    named = {
        name: (getattr(chosen, name) or [None])[0]
        for name in ("experiment", "run", "event", "model")
    }
    return {**named, "status": statuses[0], "story": None}


def _check(rows: Sequence[Mapping[str, Any]], rows_max: int | None = None) -> None:
    if not rows:
        return
    if rows[0]["group_count"] > GROUP_COUNT_MAX:
        raise too_much(
            "group_by",
            f"there are {rows[0]['group_count']:,} groups, and an answer has at most {GROUP_COUNT_MAX:,}: a"
            " shorter period, a wider interval or fewer group_by help",
        )
    if rows_max is not None and rows[0]["row_count"] > rows_max:
        raise too_much(
            "agg",
            f"percentiles of more than {rows_max:,} stored numbers are not sorted for one answer: a filter or"
            " a shorter period helps",
        )


def too_much(parameter: str, message: str) -> RequestValidationError:
    """What to raise where a question would be answered by more than there is room for."""
    return RequestValidationError(
        [{"type": "value_error", "loc": ("query", parameter), "msg": message}]
    )


def _group(row: Mapping[str, Any], metric: str, fractions: Sequence[float]) -> Group:
    percentiles = row.get("percentiles")
    covariance = row.get("covariance")
    if "other_variance" in row and metric == SHARE:  # roll-ups have the rest of a count apart
        covariance = (row["count_variance"] + row["variance"] - row["other_variance"]) / 2
    return Group(
        key=tuple(row["key"]),
        stored_count=row["stored_count"],
        unseen_count=row["unseen_count"] or 0.0,
        kept=row["kept"],
        unseen=row["unseen"],
        weight_square_sum=row.get("weight_square_sum") or 0.0,
        square_sum=row.get("square_sum"),
        least=row["min"],
        largest=row["max"],
        probability_min=row["probability_min"],
        trace_count=int(row["trace_count"]),
        duration_max_ns=row["duration_max_ns"] or 0.0,
        non_finite_count=row.get("non_finite_count", 0),
        variances=Variances(row["count_variance"], row["variance"], covariance),
        percentiles=dict(zip(fractions, percentiles, strict=True)) if percentiles else {},
    )


def _spreads(texts: Sequence[str]) -> dict[tuple[str | None, ...], Spread]:
    found = {}
    for text in texts:
        row = json.loads(text)
        found[tuple(row["key"])] = spread_of(row["value"], row["count"], row["variance"])
    return found
