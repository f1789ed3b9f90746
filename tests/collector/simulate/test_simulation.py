"""A stored stream of known content, tried on rules: every figure against the same computed by hand."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest

from crucible_collector.candidates import THRESHOLD_MAX, threshold
from crucible_collector.sample.rules import Rules
from crucible_collector.simulate.replay import Limits
from crucible_collector.simulate.report import Aggregate, EventOutcome, Outcome
from crucible_collector.simulate.simulation import simulate
from databases import TestServer
from stored import at

SPANS, LOGS, P = 600, 90, 0.25
Row = dict[str, Any]


def trace(number: int) -> uuid.UUID:
    """Three spans each; the randomness of every fourth is below that of P, in an odd order."""
    return uuid.UUID(
        int=(number + 1) << 64 | (number * 2_654_435_761) % 1009 * (THRESHOLD_MAX // 1009)
    )


def spans() -> list[Row]:
    chance = np.random.default_rng(3)
    return [
        {
            "time": at(number / 20),
            "duration_ns": int(chance.lognormal(17, 1)),
            "span_id": number,
            "trace_id": trace(number // 3),
            "name": "x",
            "event_name": ("ask", "embed")[number % 5 == 0],
            "status_code": 2 if number % 30 == 0 else 1,
            "input_tokens": number % 7 or None,
            "cost_usd": 0.5,
            "sample_probability": 1.0,
            "sample_threshold": None,
        }
        for number in range(SPANS)
    ]


def is_kept(row: Row, p: float = P) -> bool:
    kept: bool = row["trace_id"].int % THRESHOLD_MAX >= int(threshold(p))
    return kept


def put(dsn: str, rows: list[Row]) -> None:
    names = ", ".join(rows[0])
    places = ", ".join(f"%({name})s" for name in rows[0])
    statement = (
        f"insert into crucible.spans ({names}, resource_id, scope_id) values ({places}, 11, 12)"
    )
    with psycopg.connect(dsn, autocommit=True) as conn, conn.cursor() as cursor:
        cursor.executemany(statement.encode(), rows)
        cursor.executemany(
            b"insert into crucible.logs (time, resource_id, scope_id, trace_id, severity_number)"
            b" values (%s, 11, 12, %s, 9)",
            [(at(100 + each), trace(each) if each % 2 else None) for each in range(LOGS)],
        )


@pytest.fixture(scope="module")
def filled(module_server: TestServer) -> Iterator[str]:
    with module_server.database() as dsn:
        put(dsn, spans())
        yield dsn


@pytest.fixture(scope="module")
def plain(plain_server: TestServer) -> Iterator[str]:
    """For what hangs on no database."""
    with plain_server.database() as dsn:
        put(dsn, spans())
        yield dsn


def sizes(dsn: str) -> tuple[int, int]:
    """Bytes of all spans and of all log records."""
    ask = "select sum(pg_column_size(one.*)) from crucible.{} one"
    with psycopg.connect(dsn) as conn:
        rows = [conn.execute(ask.format(each).encode()).fetchone() for each in ("spans", "logs")]
    return tuple(int(row[0]) for row in rows if row)  # type: ignore[return-value]


def uniform(p: float = P, **told: Any) -> Row:
    return {"strategy": "uniform", "probability": p, **told}


def tried(dsn: str, *rules: Row, **told: Any) -> Outcome:
    return simulate(dsn, Rules.parse({"rules": rules}), at(0), at(1000), **told)


def event(outcome: Outcome, name: str | None) -> tuple[EventOutcome, dict[str, Aggregate]]:
    found = next(each for each in outcome.events if each.event == name)
    return found, {each.name: each for each in found.aggregates}


def variance(rows: list[Row], value: str | None, p: float) -> float:
    """(1 - p)/p² times the square of each kept trace's sum."""
    sums: dict[uuid.UUID, float] = {}
    for row in rows:
        x = 1.0 if value is None else float(row[value] or 0)
        sums[row["trace_id"]] = sums.get(row["trace_id"], 0.0) + x
    return math.fsum((1 - p) / p**2 * each**2 for each in sums.values())


@pytest.mark.parametrize("name", [None, "ask", "embed"])
def test_what_answers_would_say_is_what_a_calculation_says(filled: str, name: str | None) -> None:
    outcome = tried(filled, uniform())
    rows = [row for row in spans() if name in {None, row["event_name"]}]
    kept = [row for row in rows if is_kept(row)]
    found, named = event(outcome, name)
    assert (found.seen_count, found.kept_count) == (len(rows), len(kept))
    assert 30 < len(kept) < len(rows) / 2
    assert found.interval_reliable == (len({row["trace_id"] for row in kept}) >= 30)
    for aggregate, column, unit in (
        ("count", None, 1.0),
        ("duration_total_ms", "duration_ns", 1e-6),
        ("input_tokens", "input_tokens", 1.0),
        ("cost_usd", "cost_usd", 1.0),
    ):
        one = named[aggregate]
        stored = unit * sum(1 if column is None else row[column] or 0 for row in rows)
        would = unit * sum(1 if column is None else row[column] or 0 for row in kept) / P
        error = unit * math.sqrt(variance(kept, column, P))
        assert one.stored == pytest.approx(stored)
        assert one.estimate == pytest.approx(would)
        assert one.relative_error == pytest.approx((would - stored) / stored)
        assert one.relative_standard_error == pytest.approx(error / would)
        assert one.low is not None
        assert one.high is not None
        assert one.low < would < one.high
        assert one.covers == (one.low <= stored <= one.high)
    errors = named["error_count"]
    assert errors.stored == sum(row["status_code"] == 2 for row in rows)
    assert errors.estimate == pytest.approx(sum(row["status_code"] == 2 for row in kept) / P)
    mean = named["duration_mean_ms"]
    assert mean.estimate == pytest.approx(np.mean([row["duration_ns"] for row in kept]) / 1e6)
    for percentile, q in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)):
        for value, of in ((named[percentile].stored, rows), (named[percentile].estimate, kept)):
            exact = np.quantile([row["duration_ns"] for row in of], q, method="inverted_cdf")
            assert value == pytest.approx(exact / 1e6, rel=0.0101)
    assert named["output_tokens"].stored is None


def test_rules_are_told_apart_and_what_they_keep_is_counted(filled: str) -> None:
    outcome = tried(
        filled,
        uniform(name="asked", events=["ask"], signals=["spans"]),
        uniform(0.5, name="logged", signals=["logs"]),
    )
    rules = {(each.rule, each.signal): each for each in outcome.rules}
    assert list(rules) == [("asked", "spans"), ("logged", "log_records"), (None, "spans")]
    asked, logged, rest = rules.values()
    of_ask = [row for row in spans() if row["event_name"] == "ask"]
    with_others = {row["trace_id"] for row in spans() if row["event_name"] == "embed"}
    whole = [row for row in of_ask if is_kept(row)]
    # Spans that no rule is about are kept, and with them what comes of their traces afterwards.
    assert len(whole) <= asked.kept_count
    assert asked.kept_count <= len(
        {row["span_id"] for row in of_ask if is_kept(row) or row["trace_id"] in with_others}
    )
    assert (asked.seen_count, rest.seen_count, rest.kept_count) == (480, 120, 120)
    assert logged.seen_count == LOGS
    assert 0 < logged.kept_count < LOGS
    assert (outcome.span_count, outcome.log_count) == (SPANS, LOGS)
    of_spans, of_logs = outcome.totals
    assert of_spans.kept_count == asked.kept_count + rest.kept_count
    assert of_spans.kept_bytes == asked.kept_bytes + rest.kept_bytes
    assert (of_spans.seen_bytes, of_logs.seen_bytes) == pytest.approx(sizes(filled), rel=1e-3)
    assert of_logs.kept_count == logged.kept_count
    # Twenty spans begin in a second, and one log record.
    assert 20 <= of_spans.seen_per_s_max <= 40
    assert (of_logs.seen_per_s_max, of_logs.kept_per_s_max) == (1, 1)


def test_a_rule_that_fits_nothing_is_told(filled: str) -> None:
    misspelt = uniform(name="misspelt", events=["aks"], signals=["spans", "logs"])
    outcome = tried(filled, misspelt)
    found = [(each.rule, each.signal, each.seen_count, each.kept_count) for each in outcome.rules]
    nothing = [("misspelt", signal, 0, 0) for signal in ("spans", "log_records")]
    everything = [(None, "spans", SPANS, SPANS), (None, "log_records", LOGS, LOGS)]
    assert found == nothing + everything


def test_without_rules_everything_is_as_it_is(filled: str) -> None:
    outcome = tried(filled)
    assert [each.kept_count for each in outcome.totals] == [SPANS, LOGS]
    for one in outcome.events:
        for each in one.aggregates:
            assert each.estimate == each.stored
            assert each.relative_error in {0.0, None}


def test_rows_that_were_sampled_before_are_tried_with_their_weight(
    plain_server: TestServer,
) -> None:
    before = 0.5
    sampled = {"sample_probability": before, "sample_threshold": int(threshold(before))}
    rows = [{**row, **sampled} for row in spans() if is_kept(row, before)]
    with plain_server.database() as dsn:
        put(dsn, rows)
        stricter, looser = tried(dsn, uniform(0.25)), tried(dsn, uniform(0.8))
    assert stricter.thinned_count == looser.thinned_count == len(rows)
    _, named = event(stricter, None)
    kept = [row for row in rows if is_kept(row, 0.25)]
    assert named["count"].stored == pytest.approx(len(rows) / before)
    assert named["count"].estimate == pytest.approx(len(kept) / 0.25)
    found, named = event(looser, None)
    assert found.kept_count == len(rows)
    assert named["count"].estimate == named["count"].stored == pytest.approx(len(rows) / before)
    assert named["count"].relative_standard_error == pytest.approx(
        math.sqrt(variance(rows, None, before)) / (len(rows) / before)
    )


def test_one_experiment_alone_can_be_asked_for(plain_server: TestServer) -> None:
    with plain_server.database() as dsn:
        put(dsn, [{**row, "experiment_id": f"x-{row['span_id'] % 2}"} for row in spans()])
        outcome = tried(dsn, uniform(), experiment="x-1")
    assert (outcome.experiment, outcome.span_count, outcome.log_count) == ("x-1", SPANS // 2, 0)


@pytest.mark.parametrize(
    "rule",
    [
        {"strategy": "tail", "rules": [{"error": True}], "otherwise": uniform(0.01)},
        {"strategy": "importance", "budget_per_s": 5},
        {"strategy": "reservoir", "k": 20, "window_s": 5},
        {"strategy": "adaptive", "target_per_s": 5, "min_samples": 50},
        {"strategy": "stratified", "by": ["event"], "budget_per_s": 5, "allocation": "neyman"},
    ],
    ids=lambda rule: str(rule["strategy"]),
)
def test_every_strategy_can_be_tried_and_none_is_said_to_be_exact_where_it_is_not(
    plain: str, rule: Row
) -> None:
    outcome = tried(plain, rule)
    found, named = event(outcome, None)
    assert 0 < found.kept_count < SPANS
    assert outcome.is_complete
    assert outcome.decided_early_count == 0
    assert named["count"].relative_standard_error is not None
    assert named["count"].relative_standard_error > 0
    assert named["count"].estimate == pytest.approx(SPANS, rel=0.6)


def test_a_strategy_that_waits_sees_what_comes_within_its_wait(plain: str) -> None:
    """Of a trace with an error all spans are kept, those before the error, too."""
    tail = {"strategy": "tail", "rules": [{"error": True}], "otherwise": uniform(1e-6)}
    outcome = tried(plain, tail)
    bad = {row["trace_id"] for row in spans() if row["status_code"] == 2}
    of_bad = [row for row in spans() if row["trace_id"] in bad]
    found, named = event(outcome, None)
    assert found.kept_count == len(of_bad) > len(bad)
    assert named["error_count"].relative_error == 0


def test_it_stops_where_it_is_told_to_and_says_so(plain: str) -> None:
    short = tried(plain, uniform(), limits=Limits(records_max=100))
    assert not short.is_complete
    assert short.stopped_because is not None
    assert "100 records" in short.stopped_because
    assert 100 <= short.span_count < 200
    assert short.until_time is not None
    assert at(4) < short.until_time < at(11)  # twenty begin in a second
    found, _ = event(short, None)
    assert found.seen_count == short.span_count
    whole = tried(plain, uniform(), limits=Limits(records_max=SPANS + LOGS))
    assert whole.is_complete
    slow = tried(plain, uniform(), limits=Limits(seconds_max=0.0))
    assert slow.stopped_because is not None
    assert "0 s" in slow.stopped_because
    assert slow.span_count > 0


def test_a_period_without_records_has_an_outcome_of_nothing(plain: str) -> None:
    outcome = simulate(plain, Rules.parse({"rules": [uniform()]}), at(5000), at(6000))
    assert (outcome.span_count, outcome.log_count, outcome.events) == (0, 0, ())
    assert outcome.until_time is None
    assert outcome.is_complete
