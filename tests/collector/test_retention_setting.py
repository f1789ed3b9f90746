"""What `--retention` may say, and how a wrong one is told before there is a database."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from crucible_collector.retention import (
    COMPLETE_AFTER,
    MADE_OF,
    RAW,
    RELATIONS,
    check,
    from_setting,
    least,
    parse,
    spelled,
)
from crucible_collector.store.partitions import RELATIONS as BY_TIME
from crucible_collector.store.rollups.continuous import complete_after
from crucible_collector.store.rollups.families import FAMILIES

DAY = dt.timedelta(days=1)


def test_days_and_hours_are_read_and_what_is_not_named_is_kept_for_ever() -> None:
    assert parse(" spans = 30d, logs=36h ,points=forever") == {
        "spans": 30 * DAY,
        "logs": dt.timedelta(hours=36),
    }
    assert parse("forever") == {}


@pytest.mark.parametrize("nothing", ["", "  ", "none", None])
def test_nothing_said_is_nothing_chosen(nothing: str | None) -> None:
    assert from_setting(nothing) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("span=30d", r"there is no relation 'span'; there are spans, points, .*anomaly_rollup_1d"),
        ("spans", r"expected relation=length as in spans=30d, got 'spans'"),
        ("spans=30d,", r"got ''"),
        ("spans=30", r"spans = '30': expected days or hours as in 30d or 36h, or forever"),
        ("spans=0d", r"spans = '0d'"),
        ("spans=-3d", r"spans = '-3d'"),
        ("spans=1.5d", r"spans = '1\.5d'"),
        ("spans=1w", r"spans = '1w'"),
        ("spans=\u0663d", r"expected days or hours"),
        ("spans=36501d", r"spans = 36501d: at most 36500d, or forever"),
        ("spans=999999999h", r"at most 36500d"),
        ("spans=3d,spans=4d", r"spans is named twice"),
        ("logs=23h", r"logs = 23h: at least 1d$"),
        ("spans=26h", r"spans = 26h: at least 27h, until span_latency_1h is made of it"),
        ("points=24h", r"points = 1d: at least 25h, until point_rollup_1m is made of it"),
        ("points=9d,point_rollup_1m=9d,point_rollup_1h=3d", r"point_rollup_1h = 3d: at least 4d"),
        ("span_rollup_1m=90d", r"span_rollup_1m = 90d: at least as long as spans, .*\(forever\)"),
        ("spans=30d,span_rollup_1m=29d", r"as long as spans, which it is made of \(30d\)"),
        ("spans=30d,span_latency_1d=90d", r"as long as span_latency_1h, .* \(forever\)"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as raised:
        parse(text)
    assert "\n" not in str(raised.value)


def test_another_type_is_told() -> None:
    with pytest.raises(ValueError, match="expected a text as in spans=30d"):
        from_setting({"spans": 30})


def test_the_least_of_every_relation_is_accepted() -> None:
    kept: dict[str, dt.timedelta] = {}
    for relation in RELATIONS:
        below = kept.get(MADE_OF.get(relation, ""), dt.timedelta(0))
        kept[relation] = max(least(relation), below)
    check(kept)
    text = ",".join(f"{relation}={spelled(length)}" for relation, length in kept.items())
    assert parse(text) == kept


def test_it_knows_every_relation_by_time_and_what_is_made_of_it() -> None:
    made_of = {}
    for family in FAMILIES:
        below = family.source
        for level in family.levels:
            made_of[family.view(level)] = below
            below = family.view(level)
    assert made_of == MADE_OF
    assert sorted(RAW) == sorted(BY_TIME)


def test_it_asks_for_what_refreshing_needs() -> None:
    """The refreshes themselves refuse less; the setting tells before there is a database."""
    levels = {level for family in FAMILIES for level in family.levels}
    assert {level.suffix: complete_after(level) for level in levels} == COMPLETE_AFTER


def test_the_examples_of_the_guide_are_accepted() -> None:
    guide = Path(__file__).parents[2] / "collector" / "README.md"
    examples = re.findall(r"--retention (\S*=\S+)", guide.read_text())
    assert examples
    assert all(map(parse, examples))
