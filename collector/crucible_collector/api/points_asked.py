"""Numbers of the points of a metric, by time and by group: all of them are stored, so they are exact.

A metric is some series, each of one group; roll-ups have the sums of each. The standard deviation and
percentiles are those of the points themselves.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crucible_collector.api.asking import (
    GROUP_COUNT_MAX,
    LEVELS,
    ROWS_MAX,
    WIDTHS,
    Question,
    too_much,
)
from crucible_collector.api.group_places import Place
from crucible_collector.api.numbers import Group
from crucible_collector.api.paging import time_and_rest
from crucible_collector.api.where import RESOURCE, attribute_of
from crucible_collector.store.pieces import cut
from crucible_collector.store.read import Reads

# A training has some dozens, one a metric and rank.
SERIES_MAX = 10_000
POINT_GROUPS = frozenset(("experiment", "run", "condition", "event", "service", "rank"))
Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class SeriesOf:
    """The series of a metric, each with the number of its group; `keys` are those of groups, in order."""

    series: list[int]
    numbers: list[int]
    keys: list[Key]


def is_of_points(question: Question) -> bool:
    """Whether points have all that the question parts and filters by."""
    chosen = question.chosen
    others = (chosen.model, chosen.status, chosen.correlation, chosen.kind, chosen.where)
    return not any(others) and all(
        each in POINT_GROUPS or each.startswith(RESOURCE) or attribute_of(each)
        for each in question.group_by
    )


def series_of(reads: Reads, question: Question) -> SeriesOf:
    """RequestValidationError where there are too many."""
    texts = reads.json_rows(
        "numbered_series",
        metric=question.metric,
        **question.dimensions(),
        **question.chosen.chosen(),
        limit=SERIES_MAX + 1,
    )
    if len(texts) > SERIES_MAX:
        raise too_much(
            "metric",
            f"there are more than {SERIES_MAX:,} series of {question.metric!r}: filters help",
        )
    rows = [json.loads(text) for text in texts]
    keys = sorted({tuple(row["key"]) for row in rows}, key=_in_order)
    numbers = {key: number for number, key in enumerate(keys)}
    return SeriesOf(
        [row["series_id"] for row in rows], [numbers[tuple(row["key"])] for row in rows], keys
    )


def point_groups(reads: Reads, question: Question, of: SeriesOf, place: Place) -> list[Group]:
    """Groups in the order of time and key, `limit` at most. RequestValidationError where too much is asked."""
    pieces = cut(question.start, question.end, LEVELS[question.interval])
    if not pieces or not of.series:
        return []
    parameters: dict[str, Any] = {
        "series": of.series,
        "groups": of.numbers,
        "width": WIDTHS.get(question.interval),
    }
    last = (
        None
        if place.key is None
        else bisect.bisect_left(of.keys, _in_order(place.key[1:]), key=_in_order)
    )
    texts = reads.json_rows(
        "point_number_sums",
        sums=pieces,
        **parameters,
        last_time=time_and_rest(place.key[0])[0] if place.key and place.key[0] else None,
        last_number=last,
        skip=place.skip,
        limit=place.limit,
    )
    rows = list(map(json.loads, texts))
    if rows and rows[0]["group_count"] > GROUP_COUNT_MAX:
        raise too_much(
            "group_by", f"there are more than {GROUP_COUNT_MAX:,} groups: a shorter period helps"
        )
    groups = [_group(row, of.keys) for row in rows]
    if question.fractions or "std" in question.aggregations:
        return _with_spreads(reads, question, of, groups, parameters)
    return groups


def _with_spreads(
    reads: Reads,
    question: Question,
    of: SeriesOf,
    groups: list[Group],
    parameters: Mapping[str, Any],
) -> list[Group]:
    texts = reads.json_rows(
        "point_number_spreads",
        **parameters,
        from_time=question.start,
        to_time=question.end,
        # As percentile_disc counts, where only the rounding of a fraction is missing.
        fractions=[fraction * (1 - 1e-12) for fraction in question.fractions],
        rows_max=ROWS_MAX + 1,
    )
    rows = list(map(json.loads, texts))
    if rows and rows[0]["row_count"] > ROWS_MAX:
        raise too_much(
            "agg",
            f"percentiles and deviations of more than {ROWS_MAX:,} points are not computed for one answer: a"
            " filter or a shorter period helps",
        )
    known = {(row["time"], *of.keys[row["group_number"]]): row for row in rows}
    return [_spread(group, known.get(group.key), question.fractions) for group in groups]


def _spread(group: Group, row: Mapping[str, Any] | None, fractions: Sequence[float]) -> Group:
    if row is None:
        return group
    std = row["std"]
    return replace(
        group,
        square_sum=None if std is None else std * std * (group.stored_count - 1),
        percentiles=dict(zip(fractions, row["percentiles"] or (), strict=True)),
    )


def _group(row: Mapping[str, Any], keys: Sequence[Key]) -> Group:
    return Group(
        key=(row["time"], *keys[row["group_number"]]),
        stored_count=row["count"],
        kept=row["sum"],
        weight_square_sum=row["count"],
        least=row["min"],
        largest=row["max"],
        non_finite_count=row["non_finite_count"],
    )


def _in_order(key: Sequence[str | None]) -> list[tuple[bool, str]]:
    """As the database has texts in the order of their bytes, what is missing last."""
    return [(part is None, part or "") for part in key]
