"""What answers would have said, held against the same computed by hand; and how it is told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crucible_collector.api.in_force import About, InForce, RuleInForce, Thinning
from crucible_collector.enrich.partials import duration_bucket
from crucible_collector.simulate.aggregates import EVENTS_SHOWN_MAX, outcomes
from crucible_collector.simulate.report import Aggregate, EventOutcome
from crucible_collector.simulate.sums import (
    EVENTS_MAX,
    OTHERS_NAME,
    Events,
    Kept,
    Seen,
    Sums,
)

MS = 1_000_000
# Five spans, each a trace: event, error, ms, tokens in; the first, third and last are kept with p = 1/2.
SPANS = (("a", 0, 10, 100), ("a", 1, 30, None), ("b", 1, 50, 7), ("a", 0, 70, 300), ("a", 0, 90, 5))
KEPT = (0, 2, 4)
P = 0.5


def added(
    sums: Sums,
    events: Events,
    spans: tuple[tuple[str, int, int, int | None], ...] = SPANS,
    kept: tuple[int, ...] = KEPT,
    p: float = P,
    stored: float = 1.0,
) -> None:
    names = [event for event, *_ in spans]
    values = np.array(
        [
            [1.0, error, ms * MS, math.nan if tokens is None else tokens, math.nan, math.nan]
            for _, error, ms, tokens in spans
        ]
    ).T
    bucket = duration_bucket(np.array([ms * MS for _, _, ms, _ in spans])).astype(np.int64)
    every = np.ones(len(spans))
    seen = Seen(
        events.rows(np.arange(len(spans)), names), values, bucket, every * stored, every * p
    )
    at = np.array(kept, np.int64)
    x = np.nan_to_num(values[:, at])
    of_one = (1 - p) / p**2
    terms = {
        f"{name}{part}_variance": of_one * x[measure] ** 2
        for measure, name in enumerate(("count", "error", "duration", "input_token"))
        for part in ("", "_trace")
    }
    certain = np.ones(len(at)) if p < 1 else np.zeros(len(at))
    terms |= {
        "latency_variance": of_one * np.ones(len(at)),
        "uncertain_event_traces": certain,
        "uncertain_traces": certain,
    }
    sums.add(seen, Kept(at, every[at] * p, terms if p < 1 else {}))


def found(sums: Sums, events: Events, *rules: RuleInForce) -> dict[str | None, EventOutcome]:
    return {each.event: each for each in outcomes(events, sums, InForce(rules))}


def named(outcome: EventOutcome) -> dict[str, Aggregate]:
    return {each.name: each for each in outcome.aggregates}


def test_sums_means_and_their_errors_are_those_computed_by_hand() -> None:
    sums, events = Sums(), Events()
    added(sums, events)
    by_event = found(sums, events)
    assert list(by_event) == [None, "a", "b"]
    of_a = named(by_event["a"])
    assert (by_event["a"].seen_count, by_event["a"].kept_count) == (4, 2)
    count, errors = of_a["count"], of_a["error_count"]
    assert (count.stored, count.estimate, count.relative_error) == (4.0, 4.0, 0.0)
    # Two kept spans of one trace each: V = 2 (1 - p) / p^2 = 4.
    assert count.relative_standard_error == pytest.approx(math.sqrt(4) / 4)
    assert (errors.stored, errors.estimate, errors.relative_error) == (1.0, 0.0, -1.0)
    total, mean = of_a["duration_total_ms"], of_a["duration_mean_ms"]
    assert (total.stored, mean.stored) == (200.0, 50.0)
    assert total.estimate == pytest.approx(200.0)
    assert total.relative_standard_error == pytest.approx(math.sqrt(2 * (10**2 + 90**2)) / 200)
    assert mean.estimate == pytest.approx(50.0)
    tokens = of_a["input_tokens"]
    assert (tokens.stored, tokens.estimate) == (405.0, 210.0)
    assert tokens.relative_error == pytest.approx(-195 / 405)
    assert of_a["cost_usd"] == Aggregate("cost_usd", *[None] * 7)
    of_all = named(by_event[None])
    assert (of_all["count"].stored, of_all["count"].estimate) == (5.0, 6.0)
    assert of_all["error_count"].estimate == 2.0
    assert of_all["input_tokens"].stored == 412.0


def test_percentiles_are_those_of_the_weights_within_one_percent() -> None:
    sums, events = Sums(), Events()
    added(sums, events)
    of_a = named(found(sums, events)["a"])
    assert of_a["p50_ms"].stored == pytest.approx(30, rel=0.01)
    assert of_a["p50_ms"].estimate == pytest.approx(10, rel=0.01)
    assert of_a["p90_ms"].stored == pytest.approx(90, rel=0.01)
    assert of_a["p90_ms"].estimate == pytest.approx(90, rel=0.01)
    assert of_a["p50_ms"].covers


def test_an_interval_holds_what_is_stored_or_is_said_not_to() -> None:
    sums, events = Sums(), Events()
    added(sums, events)
    for outcome in found(sums, events).values():
        for each in outcome.aggregates:
            if each.estimate is None:
                assert each.covers is None
                continue
            assert each.stored is not None
            assert each.low is not None
            assert each.covers == (each.low <= each.stored <= (each.high or math.inf))
    assert named(found(sums, events)["a"])["count"].covers
    off = Sums()
    added(off, events, kept=tuple(range(5)))  # all are kept, and said to be every second
    count = named(found(off, events)["a"])["count"]
    assert (count.estimate, count.relative_error) == (8.0, 1.0)


def test_where_everything_is_kept_every_answer_is_exact() -> None:
    sums, events = Sums(), Events()
    for _ in range(3):
        added(sums, events, kept=tuple(range(5)), p=1.0)
    for outcome in found(sums, events).values():
        assert outcome.interval_reliable
        for each in outcome.aggregates:
            assert each.relative_error in {0.0, None}
            assert each.estimate == each.stored
            assert each.low == each.high == each.estimate
            assert each.covers in {True, None}


def test_where_nothing_is_kept_the_count_is_bounded_and_the_rest_is_not_known() -> None:
    sums, events = Sums(), Events()
    added(sums, events, kept=())
    of_a = named(found(sums, events)["a"])
    assert (of_a["count"].estimate, of_a["count"].low) == (0.0, 0.0)
    assert of_a["count"].high is not None
    assert of_a["count"].high > 0
    assert [of_a[name].estimate for name in ("duration_mean_ms", "p50_ms")] == [None, None]


def test_few_uncertain_traces_are_said_to_be_few() -> None:
    sums, events = Sums(), Events()
    added(sums, events)
    assert not found(sums, events)["a"].interval_reliable
    for _ in range(20):
        added(sums, events)
    assert [each.interval_reliable for each in found(sums, events).values()] == [True, True, False]


def test_rows_that_were_sampled_before_weigh_as_much_as_they_stand_for() -> None:
    sums, events = Sums(), Events()
    added(sums, events, stored=0.25, p=0.25, kept=tuple(range(5)))
    count = named(found(sums, events)["a"])["count"]
    assert (count.stored, count.estimate, count.relative_error) == (16.0, 16.0, 0.0)


def test_more_events_than_have_sums_share_those_of_the_rest_and_few_are_shown() -> None:
    sums, events = Sums(), Events()
    many = tuple((f"event-{each}", 0, 1, None) for each in range(EVENTS_MAX + 10))
    added(sums, events, many, tuple(range(len(many))), 1.0)
    shown = list(found(sums, events))
    assert len(shown) == EVENTS_SHOWN_MAX + 1
    assert shown[:2] == [None, OTHERS_NAME]
    assert found(sums, events)[OTHERS_NAME].seen_count == 10
    assert found(sums, events)[None].seen_count == len(many)


def test_what_is_kept_for_certain_is_not_exact_where_a_rule_thins_its_like() -> None:
    """As the API, which does not know of a rule's budget that it left this event alone."""
    sums, events = Sums(), Events()
    added(sums, events, kept=tuple(range(len(SPANS))), p=1.0)
    thinning = Thinning(0.01, 1.0, error_seen_count=2, kept_count=3)
    by_event = found(sums, events, RuleInForce((About(events=("a",)),), thinning))
    assert [by_event[name].interval_reliable for name in (None, "a", "b")] == [False, False, True]
    of_a, of_b = named(by_event["a"]), named(by_event["b"])
    assert (of_a["count"].low, of_a["count"].high) == (4, 4 + math.ceil(-math.log(0.025) * 99))
    assert (of_a["error_count"].low, of_a["error_count"].high) == (1, 1)
    assert (of_a["p50_ms"].low, of_a["p50_ms"].high) == (0, None)
    mean = of_a["duration_mean_ms"]
    assert mean.low is not None
    assert mean.estimate is not None
    assert mean.high is not None
    assert mean.low < mean.estimate < mean.high
    assert all(each.low == each.high for each in of_b.values())
