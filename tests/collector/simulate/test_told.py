"""What people are told of a simulation, line by line."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from crucible_collector.simulate.report import Aggregate, EventOutcome, Outcome, RuleOutcome
from crucible_collector.simulate.told import lines

TIME = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
MIB = 1024 * 1024
NAMES = (
    "count",
    "error_count",
    "duration_total_ms",
    "duration_mean_ms",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "input_tokens",
    "output_tokens",
    "cost_usd",
)
EXACT = tuple(Aggregate(name, 7.0, 7.0, 0.0, 0.0, 7.0, 7.0, True) for name in NAMES)
OFF = (
    Aggregate("count", 1000.0, 1012.0, 0.012, 0.02, 990.0, 1030.0, True),
    Aggregate("error_count", 10.0, 30.0, 2.0, 0.5, 20.0, 40.0, False),
    Aggregate("duration_total_ms", 100.0, 99.9, -0.001, 0.0123, 95.0, None, True),
    Aggregate("duration_mean_ms", 10.0, None, None, None, None, None, None),
    *(replace(each, relative_standard_error=None, high=None) for each in EXACT[4:7]),
    *(Aggregate(name, None, None, None, None, None, None, None) for name in NAMES[7:9]),
    Aggregate("cost_usd", 0.0, 0.25, None, 0.1, 0.0, 1.0, True),
)
OUTCOME = Outcome(
    from_time=TIME,
    to_time=TIME + dt.timedelta(hours=1),
    until_time=TIME + dt.timedelta(minutes=59),
    experiment=None,
    span_count=1000,
    log_count=20,
    thinned_count=0,
    is_complete=True,
    stopped_because=None,
    decided_early_count=0,
    took_s=1.25,
    rules=(
        RuleOutcome("costly", "spans", 900, 9, 9 * MIB, MIB // 10, 300, 5),
        RuleOutcome(None, "log_records", 20, 20, MIB, MIB, 2, 2),
    ),
    totals=(
        RuleOutcome(None, "spans", 1000, 109, 10 * MIB, MIB, 320, 10),
        RuleOutcome(None, "log_records", 20, 20, MIB, MIB, 2, 2),
    ),
    events=(
        EventOutcome(None, 1000, 109, True, OFF),
        EventOutcome("epoch", 100, 100, True, EXACT),
    ),
)


def told(outcome: Outcome) -> list[str]:
    return list(lines(outcome))


def cells(line: str) -> list[str]:
    return line.split()


def test_the_table_says_what_is_kept_and_how_far_off_answers_are() -> None:
    found = told(OUTCOME)
    assert found[0] == (
        "1,000 spans and 20 log records from 2026-11-23 10:00:00 to 2026-11-23 11:00:00 UTC,"
        " replayed in 1.2 s"
    )
    assert found[1] == ""
    rules = [cells(line) for line in found[3:7]]
    assert rules[0] == ["costly", "spans", "900", "9", "1.00%", "0.1", "1.11%", "300", "5"]
    assert rules[1][:3] == ["(no", "rule)", "log_records"]
    assert [each[0] for each in rules[2:]] == ["all", "all"]
    head, off, expected, epoch = (cells(line) for line in found[8:12])
    assert head[:4] == ["event", "kept", "count", "errors"]
    assert off[:6] == ["all", "events", "10.9%", "+1.20%", "+200%!", "-0.10%"]
    # A percentile that happens to be right, and is not known to be.
    assert off[6:] == ["nothing", "+0.00%", "+0.00%", "+0.00%", "-", "-", "0.25"]
    assert expected == ["±2.00%", "±50.0%", "±1.23%", *["±", "?"] * 3, "±10.0%"]
    assert epoch == ["epoch", "100%", *["exact"] * 10]
    assert "missed" in found[-1]
    assert all(line == line.rstrip() for line in found)


def test_what_limits_the_answer_is_said_first() -> None:
    limited = replace(
        OUTCOME,
        experiment="sweep",
        thinned_count=400,
        is_complete=False,
        stopped_because="it took 20 s, which is as long as it may",
        decided_early_count=3,
    )
    text = "\n".join(told(limited)[:6])
    for part in (
        "of experiment sweep",
        "stopped early, at what ended by 2026-11-23 10:59:00: it took 20 s",
        "400 of these were stored with p < 1",
        "by this experiment alone",
        "3 records were decided before",
    ):
        assert part in text
    few = replace(OUTCOME.events[0], interval_reliable=False)
    assert any("all events (few)" in line for line in told(replace(OUTCOME, events=(few,))))


def test_nothing_is_one_line() -> None:
    nothing = replace(OUTCOME, span_count=0, log_count=0, rules=(), totals=(), events=())
    assert told(nothing) == [
        "nothing is stored from 2026-11-23 10:00:00 to 2026-11-23 11:00:00 UTC"
    ]
