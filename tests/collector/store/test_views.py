"""The views for people who bring SQL: what they say of given rows, and that they find them fast."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from stored import RESOURCE, TRACE, Stored, at

LOSS = "crucible_train.batch.stop"


@pytest.fixture
def stored(database: str) -> Iterator[Stored]:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("set timezone = 'Asia/Tokyo'")  # what a view says of days does not follow it
        yield Stored(conn)


def rows(stored: Stored, question: str) -> list[dict[str, Any]]:
    with stored.conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(question.encode()).fetchall()


def row(stored: Stored, question: str) -> dict[str, Any]:
    (only,) = rows(stored, question)
    return only


def test_a_run_in_units_that_a_name_tells(stored: Stored) -> None:
    stored.experiment(name="Sweep")
    stored.resource(host_name="node-3")
    stored.run(
        experiment_id="sweep",
        resource_id=RESOURCE,
        status="completed",
        started_at=at(0),
        ended_at=at(90),
        last_step=41,
        summary={"loss": 0.5},
    )
    found = row(stored, "select * from crucible.run_summary where run_id = 'run-1'")
    assert (found["experiment_name"], found["host_name"]) == ("Sweep", "node-3")
    assert (found["duration_s"], found["last_step"], found["silent_s"]) == (90.0, 41, None)
    assert found["summary"] == {"loss": 0.5}


def test_a_run_without_start_lasts_from_its_first_to_its_newest_record(stored: Stored) -> None:
    stored.run(last_received_at=at(9))
    found = row(stored, "select * from crucible.run_summary")
    assert found["duration_s"] == 9.0
    assert found["silent_s"] == pytest.approx(
        (dt.datetime.now(dt.UTC) - at(9)).total_seconds(), abs=60
    )


def test_an_experiment_counts_its_runs_by_how_they_are(stored: Stored) -> None:
    stored.experiment(active_duration_ns=1_500_000_000)
    for number, status in enumerate(("running", "completed", "completed", "failed", "stalled")):
        stored.run(f"run-{number}", experiment_id="sweep", status=status)
    found = row(stored, "select * from crucible.experiment_summary")
    counts = [found[f"{of}_count"] for of in ("run", "running", "completed", "failed")]
    assert counts == [5, 1, 2, 1]
    assert found["active_duration_s"] == 1.5


def test_a_loss_curve_is_the_batches_losses(stored: Stored) -> None:
    stored.run(condition="lr=1e-3")
    stored.series(1, run_id="run-1", event_name=LOSS)
    stored.series(2, run_id="run-1", event_name="crucible_train.epoch.stop")
    stored.series(3, "gradient_norm", run_id="run-1", event_name=LOSS)
    stored.points(1, [0.9, math.nan])
    stored.points(2, [0.8])
    stored.points(3, [7.0])
    found = rows(stored, "select * from crucible.loss_curve where run_id = 'run-1' order by step")
    assert [(each["step"], each["condition"]) for each in found] == [(0, "lr=1e-3"), (1, "lr=1e-3")]
    assert found[0]["loss"] == 0.9
    assert math.isnan(found[1]["loss"])
    norms = rows(stored, "select * from crucible.metric_curve where metric = 'gradient_norm'")
    assert [each["value"] for each in norms] == [7.0]


def test_an_epoch_has_the_numbers_of_its_end(stored: Stored) -> None:
    measured = {"loss": 0.25, "accuracy": {"$double": "NaN"}, "steps": 12, "learning_rate": "fast"}
    stored.span(
        name="crucible_train.epoch",
        event_name="crucible_train.epoch.stop",
        run_id="run-1",
        epoch=3,
        duration_ns=2_500_000_000,
        attributes={f"crucible.measurement.{name}": value for name, value in measured.items()},
    )
    stored.span(event_name="crucible_train.epoch.start", run_id="run-1", epoch=4)
    found = row(stored, "select * from crucible.epoch_summary where run_id = 'run-1'")
    assert (found["epoch"], found["duration_s"], found["is_error"]) == (3, 2.5, False)
    assert (found["loss"], found["step_count"], found["learning_rate"]) == (0.25, 12.0, None)
    assert math.isnan(found["accuracy"])
    assert found["sample_probability"] == 1


def test_the_slowest_spans_come_first_and_points_in_time_not_at_all(stored: Stored) -> None:
    for milliseconds in (5, 0, 70, 30):
        stored.span(duration_ns=milliseconds * 1_000_000)
    found = rows(stored, "select * from crucible.slowest_spans limit 2")
    assert [each["duration_ms"] for each in found] == [70.0, 30.0]
    assert found[0]["trace_id"] == "5b8efff798038103d269b633813fc60c"


def test_errors_come_newest_first(stored: Stored) -> None:
    last = [
        stored.span(time=at(second), status_code=2, status_message=f"at {second}")
        for second in (1, 2)
    ]
    stored.span(time=at(3))
    found = rows(stored, "select * from crucible.recent_errors")
    assert [each["span_id"] for each in found] == last[::-1]


def test_a_period_of_anomalies_says_how_long_it_lasted_and_what_became_of_it(
    stored: Stored,
) -> None:
    stored.series(5, run_id="run-1", unit="USD")
    known = {
        "started_at": at(10),
        "last_flag_at": at(40),
        "state_at": at(10),
        "flag_count": 7,
        "peak_score": 3.5,
        "metric": "cost",
        "detector": "rarity",
        "severity": "warning",
        "run_id": "run-1",
    }
    stored.insert("anomaly_periods", {**known, "period_id": TRACE, "series_id": 5})
    ended = {"ended_at": at(100), "state": "resolved", "state_by": "ada", "state_reason": "tuned"}
    stored.insert("anomaly_periods", {**known, **ended, "period_id": uuid.UUID(int=1)})
    lasting, over = rows(
        stored, "select * from crucible.anomaly_period_summary order by duration_s"
    )
    assert (lasting["duration_s"], lasting["state"], lasting["unit"]) == (30.0, "active", "USD")
    assert (over["duration_s"], over["state"], over["unit"]) == (90.0, "resolved", None)
    assert (over["state_by"], over["state_reason"], over["label"]) == ("ada", "tuned", "")


def test_delivery_and_collectors_add_up_over_journals(stored: Stored) -> None:
    for journal in ("a" * 32, "b" * 32):
        stored.insert("positions", {"journal_id": journal, "position": 1, "heard_since": at(0)})
        stored.insert(
            "ledger",
            {"journal_id": journal, "signal": "spans", "outcome": "stored", "count": 2},
        )
    assert row(stored, "select * from crucible.delivery_summary")["record_count"] == 4
    found = rows(stored, "select * from crucible.collector_summary")
    assert [each["has_ended"] for each in found] == [False, False]


def test_what_sampling_kept_adds_up_over_journals_and_counts_what_was_lost_altogether(
    stored: Stored,
) -> None:
    seen = {"time": at(0), "rule": "thin", "signal": "spans", "seen_count": 100}
    kept = {"kept_count": 10, "weight_sum": 90.0, "probability_min": 0.1}
    stored.insert("sampling_ledger", {**seen, **kept, "journal_id": "a" * 32})
    none = {"probability_min": 0.01, "error_seen_count": 3}
    stored.insert("sampling_ledger", {**seen, **none, "journal_id": "b" * 32})
    stored.insert("sampling_ledger", {**seen, "stratum": "ok", "journal_id": "a" * 32})
    both, lost = rows(stored, "select * from crucible.sampling_by_minute order by stratum")
    assert (both["seen_count"], both["kept_count"], both["error_seen_count"]) == (200, 10, 3)
    assert (both["kept_share"], both["weight_mean"], both["probability_min"]) == (0.05, 9.0, 0.01)
    assert (lost["kept_count"], lost["kept_share"], lost["weight_mean"]) == (0, 0.0, None)


@pytest.mark.parametrize(
    "question",
    [
        "crucible.run_summary where run_id = 'run-1'",
        "crucible.experiment_summary where experiment_id = 'sweep'",
        "crucible.metric_curve where run_id = 'run-1' and metric = 'loss'",
        "crucible.loss_curve where run_id = 'run-1'",
        "crucible.epoch_summary where run_id = 'run-1'",
        "crucible.slowest_spans where time > now() - interval '1 hour' limit 10",
        "crucible.recent_errors limit 10",
        "crucible.anomaly_period_summary where run_id = 'run-1'",
        "crucible.anomaly_period_summary where state = 'active' order by started_at desc limit 10",
        "crucible.anomaly_period_summary order by started_at desc limit 10",
    ],
)
def test_a_condition_reaches_the_indexes(stored: Stored, question: str) -> None:
    """With sequential scans discouraged, none is left: every part has an index for the question."""
    stored.conn.execute("set enable_seqscan = off")
    plan = row(stored, f"explain (format json) select * from {question}")["QUERY PLAN"]
    scanned = [name for name in sequentially_scanned(plan[0]["Plan"]) if name != "resources"]
    assert scanned == [], json.dumps(plan, indent=1)


def sequentially_scanned(plan: dict[str, Any]) -> list[str]:
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [name for inner in plan.get("Plans", ()) for name in sequentially_scanned(inner)]
