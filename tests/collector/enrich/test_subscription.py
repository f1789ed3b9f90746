"""What the settings leave out leaves no trace but a number in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from crucible_collector.enrich.subscription import EVERYTHING, Subscription
from rows_of import (
    Ingest,
    at,
    execute,
    imbalance,
    ingest,
    ledger,
    logs,
    row_of,
    rows_of,
    span_ids,
    span_of,
    traces,
)

EPOCH, BATCH, ALIAS = (
    "crucible_train.epoch",
    "crucible_train.batch",
    "crucible_kitchen.training.step",
)


@pytest.fixture
def collector(tmp_path: Path, plain_database: str) -> Iterator[Ingest]:
    with ingest(plain_database, tmp_path / "journal") as one:
        yield one


@pytest.mark.parametrize(
    ("allow", "deny", "event", "refusal"),
    [
        ((), (), "a.b", None),
        ((), ("a.b",), "a.b", "events_deny=a.b"),
        ((), ("a.b",), "a.b.c", "events_deny=a.b"),
        ((), ("a.b.*",), "a.b.c", "events_deny=a.b.*"),
        ((), ("a.b.",), "a.b", "events_deny=a.b."),
        ((), ("a.b",), "a.bc", None),
        ((), ("a.b",), "a", None),
        ((), ("*",), "anything at all", "events_deny=*"),
        (("a",), (), "a.b", None),
        (("a",), (), "b", "events_allow"),
        (("*",), ("a",), "b", None),
        (("*",), ("a",), "a", "events_deny=a"),
        (("a.b",), ("a",), "a.b.c", None),
        (("a.b",), ("a",), "a.c", "events_deny=a"),
        (("a",), ("a.b",), "a.b.c", "events_deny=a.b"),
        (("a.b",), ("a.b",), "a.b", "events_deny=a.b"),
        (("a.b.*",), ("a.b",), "a.b", "events_deny=a.b"),
    ],
)
def test_the_longest_rule_decides_and_deny_where_both_have_it(
    allow: tuple[str, ...], deny: tuple[str, ...], event: str, refusal: str | None
) -> None:
    assert Subscription(allow, deny).refusal(event) == refusal


def test_without_rules_nothing_is_asked() -> None:
    assert not EVERYTHING
    assert Subscription(allow=("a",))
    assert Subscription(deny=("a",))


def test_what_is_left_out_leaves_no_row_no_point_and_no_word_about_its_run(
    collector: Ingest, plain_database: str
) -> None:
    collector.subscription = Subscription(deny=(BATCH,))
    loss = {"crucible.measurement.loss": 0.5}
    collector.store(
        traces(
            span_of(1, BATCH, crucible__run__id="unheard", crucible__step=9, **loss),
            span_of(2, EPOCH, crucible__run__id="heard", crucible__step=4, **loss),
            span_of(3, ALIAS, crucible__run__id="heard", crucible__step=7, **loss),
        )
    )
    assert span_ids(plain_database) == [2]
    assert row_of(plain_database, "series")["event_name"] == "crucible_train.epoch.stop"
    assert len(rows_of(plain_database, "points")) == 1
    run = row_of(plain_database, "runs")
    assert (run["run_id"], run["last_step"]) == ("heard", 4)


def test_the_ledger_counts_it_by_rule_and_adds_up(collector: Ingest, plain_database: str) -> None:
    collector.subscription = Subscription(allow=("crucible_train",), deny=(BATCH,))
    bad_id = span_of(6, EPOCH)
    bad_id.trace_id = b"short"
    collector.store(
        traces(span_of(1, BATCH), span_of(2, ALIAS), span_of(3, EPOCH), bad_id),
        traces(span_of(4, "GET /items"), span_of(5, BATCH)),
    )
    counts = ledger(plain_database)
    assert counts == {
        ("spans", "received", ""): 6,
        ("spans", "stored", ""): 1,
        ("spans", "filtered", f"events_deny={BATCH}"): 3,
        ("spans", "filtered", "events_allow"): 1,
        ("spans", "rejected", "invalid_trace_id"): 1,
    }
    assert imbalance(counts) == {"spans": 0}


def test_a_resent_request_is_a_duplicate_whatever_was_left_out_of_it(
    collector: Ingest, plain_database: str
) -> None:
    collector.subscription = Subscription(deny=(BATCH,))
    request = traces(span_of(1, BATCH), span_of(2, EPOCH))
    collector.store(request, request)
    collector.store(request)
    counts = ledger(plain_database)
    assert counts["spans", "duplicate", ""] == 4
    assert counts["spans", "filtered", f"events_deny={BATCH}"] == 1
    assert imbalance(counts) == {"spans": 0}


def test_a_window_of_nothing_that_is_wanted_moves_on(
    collector: Ingest, plain_database: str
) -> None:
    collector.subscription = Subscription(deny=("*",))
    collector.store(traces(span_of(1), span_of(2)))
    collector.store(traces(span_of(3)))
    assert ledger(plain_database) == {
        ("spans", "received", ""): 3,
        ("spans", "filtered", "events_deny=*"): 3,
    }


def test_log_records_that_are_events_are_chosen_too_and_others_always_kept(
    collector: Ingest, plain_database: str
) -> None:
    collector.subscription = Subscription(allow=(EPOCH,))
    collector.store(
        logs(
            LogRecord(time_unix_nano=at(-3), event_name=f"{EPOCH}.stop"),
            LogRecord(time_unix_nano=at(-2), event_name=ALIAS),
            LogRecord(time_unix_nano=at(-1), severity_text="no event"),
        )
    )
    rows = rows_of(plain_database, "logs", "time")
    assert [row["event_name"] for row in rows] == [f"{EPOCH}.stop", None]
    assert ledger(plain_database)["log_records", "filtered", "events_allow"] == 1


def test_records_that_the_database_refuses_are_counted_beside_those_left_out(
    collector: Ingest, plain_database: str
) -> None:
    execute(plain_database, "alter table crucible.spans add constraint no_13 check (step <> 13)")
    collector.subscription = Subscription(deny=(BATCH,))
    collector.store(
        traces(span_of(1, BATCH), span_of(2, EPOCH, crucible__step=13), span_of(3, EPOCH))
    )
    counts = ledger(plain_database)
    assert counts["spans", "stored", ""] == 1
    assert counts["spans", "rejected", "refused_by_database"] == 1
    assert imbalance(counts) == {"spans": 0}
