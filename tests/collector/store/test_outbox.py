"""The outbox: whose turn it is, that nobody sends what another one has, and what is not sent any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from collector.alerts.receiving import GROUP_S, Outgoing
from crucible_collector.errors import DatabaseAwayError
from crucible_collector.store.outbox import (
    GONE_AFTER_S,
    KEPT_S,
    REASONS,
    Due,
    Outbox,
    delivery_id,
    forget,
)
from harness import eventually

LEASE_S = 60.0


@pytest.fixture
def outgoing(database: str) -> Iterator[Outgoing]:
    with psycopg.connect(database, autocommit=True) as conn:
        yield Outgoing(database, conn)


@pytest.fixture
def outbox(outgoing: Outgoing) -> Iterator[Outbox]:
    own = outgoing.outbox()
    yield own
    own.close()


def claim(outbox: Outbox, most: int = 20) -> list[Due]:
    return outbox.claim("hook", group_s=GROUP_S, most=most, lease_s=LEASE_S)


def ids(alerts: list[Due]) -> list[int]:
    return [alert.alert_id for alert in alerts]


def test_alerts_of_one_run_go_together_once_the_first_has_waited_for_the_others(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    first = outgoing.has_alert(run_id="a")
    outgoing.time.passes(GROUP_S / 2)
    second = outgoing.has_alert(run_id="a", metric="accuracy")
    other = outgoing.has_alert(run_id="b")
    assert claim(outbox) == []
    outgoing.time.passes(GROUP_S / 2)
    assert ids(claim(outbox)) == [first, second]
    assert claim(outbox) == []
    outgoing.time.passes(GROUP_S / 2)
    assert ids(claim(outbox)) == [other]


def test_what_is_of_no_run_goes_by_experiment_and_else_alone(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    lab = [outgoing.has_alert(run_id=None, experiment_id="lab") for _ in range(2)]
    alone = [outgoing.has_alert(run_id=None, experiment_id=None) for _ in range(2)]
    outgoing.time.passes(GROUP_S)
    assert [ids(claim(outbox)) for _ in range(4)] == [lab, alone[:1], alone[1:], []]


def test_a_delivery_that_was_never_answered_for_is_claimed_again_as_it_was(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    before = claim(outbox)
    late = outgoing.has_alert(metric="accuracy")
    outgoing.time.passes(LEASE_S - 1)
    assert claim(outbox) == []
    outgoing.time.passes(1)
    again = claim(outbox)
    assert delivery_id(again) == delivery_id(before)
    assert again[0].attempt_count == 2
    outbox.sent(again)
    assert ids(claim(outbox)) == [late]


def test_a_delivery_that_failed_stays_one_and_nothing_of_its_run_overtakes_it(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    period = outgoing.has_period()
    before = [outgoing.has_alert(period), outgoing.has_alert(metric="accuracy")]
    outgoing.time.passes(GROUP_S)
    outbox.failed(claim(outbox), "HTTP 500", 30.0)
    resolved = outgoing.has_alert(period, "resolved")
    outgoing.time.passes(29.0)
    assert claim(outbox) == []
    assert outgoing.row(before[0])["last_error"] == "HTTP 500"
    outgoing.time.passes(1.0)
    again = claim(outbox)
    assert ids(again) == before
    outbox.sent(again)
    assert ids(claim(outbox)) == [resolved]


def test_more_than_a_message_holds_goes_in_several_in_order(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    made = [outgoing.has_alert() for _ in range(5)]
    outgoing.time.passes(GROUP_S)
    found = []
    while alerts := claim(outbox, most=2):
        found.append(ids(alerts))
        outbox.sent(alerts)
    assert found == [made[:2], made[2:4], made[4:]]


def test_the_one_that_has_waited_longest_goes_first(outgoing: Outgoing, outbox: Outbox) -> None:
    made = []
    for run in ("c", "a", "b"):
        made.append(outgoing.has_alert(run_id=run))
        outgoing.time.passes(1)
    outgoing.time.passes(GROUP_S)
    assert [ids(claim(outbox)) for _ in made] == [[number] for number in made]


def test_two_collectors_never_claim_the_same(outgoing: Outgoing) -> None:
    made = [outgoing.has_alert(run_id=f"run-{number % 30}") for number in range(60)]
    outgoing.time.passes(GROUP_S)
    start = threading.Barrier(3)

    def take() -> list[list[int]]:
        own = outgoing.outbox()
        start.wait(30)
        found = []
        while alerts := claim(own):
            found.append(ids(alerts))
            own.sent(alerts)
        own.close()
        return found

    with ThreadPoolExecutor(3) as pool:
        taken = [each for found in [pool.submit(take) for _ in range(3)] for each in found.result()]
    assert sorted(number for alerts in taken for number in alerts) == made
    assert all(len(alerts) == 2 for alerts in taken)


def test_an_alert_of_a_transaction_that_was_rolled_back_was_never_there(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    with outgoing.conn.transaction(force_rollback=True):
        outgoing.has_alert()
        outgoing.time.passes(GROUP_S)
        assert claim(outbox) == []
    outgoing.time.passes(GROUP_S)
    assert (claim(outbox), outbox.waiting()) == ([], [])


def test_what_is_told_as_resolved_is_as_severe_as_it_was_told_to_be(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    period = outgoing.has_period(severity="warning")
    outgoing.has_alert(period)
    outgoing.is_now(period, severity="critical")
    outgoing.has_alert(period, "resolved")
    outgoing.time.passes(GROUP_S)
    assert [(alert.kind, alert.severity) for alert in claim(outbox)] == [
        ("firing", "warning"),
        ("resolved", "warning"),
    ]


def test_what_nobody_is_to_be_told_any_more_is_given_up_and_says_why(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    silenced = outgoing.has_period()
    quiet = outgoing.has_alert(silenced)
    outgoing.is_now(silenced, state="silenced")
    end = outgoing.has_alert(silenced, "resolved")
    unknown = outgoing.has_alert(webhook="gone")
    late = outgoing.has_alert(run_id="late")
    known = {"hook": 3 * GONE_AFTER_S}
    assert {(each.alert_id, each.reason) for each in outbox.drop_in_vain(known)} == {
        (quiet, "silenced"),
        (end, "silenced"),
    }
    outgoing.time.passes(GONE_AFTER_S + 1)
    assert [(each.alert_id, each.reason) for each in outbox.drop_in_vain(known)] == [
        (unknown, "unknown")
    ]
    outbox.failed(claim(outbox), "HTTP 500", 0.0)
    outgoing.time.passes(2 * GONE_AFTER_S)
    assert [(each.alert_id, each.reason) for each in outbox.drop_in_vain(known)] == [(late, "late")]
    assert outgoing.row(late)["last_error"] == f"{REASONS['late']}; before that: HTTP 500"
    assert outgoing.row(unknown)["given_up_at"] is not None
    assert outbox.waiting() == []


def test_the_end_of_a_period_whose_beginning_was_given_up_is_not_told(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    period = outgoing.has_period()
    outbox.give_up([outgoing.has_alert(period)], "HTTP 404")
    outgoing.has_alert(period, "resolved")
    (dropped,) = outbox.drop_in_vain({"hook": 1e6})
    assert dropped.reason == "unannounced"


def test_what_is_out_is_not_given_up_under_the_hands_of_who_sends_it(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    claimed = claim(outbox)
    outgoing.is_now(claimed[0].period_id, state="silenced")
    assert outbox.drop_in_vain({"hook": 1.0}) == []
    outbox.sent(claimed)
    assert outgoing.row(claimed[0].alert_id)["sent_at"] == outgoing.time.now()


def test_what_waits_is_counted_by_webhook(outgoing: Outgoing, outbox: Outbox) -> None:
    outgoing.has_alert(webhook="a")
    outgoing.time.passes(5)
    outgoing.has_alert(webhook="a")
    outgoing.has_alert(webhook="b")
    assert [(each.webhook, each.count, each.oldest_s) for each in outbox.waiting()] == [
        ("a", 2, 5.0),
        ("b", 1, 0.0),
    ]


def test_alerts_of_a_period_that_goes_on_are_known_for_ever_and_others_for_a_month(
    outgoing: Outgoing, outbox: Outbox
) -> None:
    over, going = outgoing.has_period(), outgoing.has_period()
    made = [outgoing.has_alert(over), outgoing.has_alert(going)]
    outgoing.is_now(over, state="resolved")
    outgoing.time.passes(GROUP_S)
    outbox.sent(claim(outbox))
    assert forget(outgoing.conn, outgoing.time.now()) == 0
    outgoing.time.passes(KEPT_S + 1)
    waits = outgoing.has_alert(over, "resolved")
    assert forget(outgoing.conn, outgoing.time.now()) == 1
    left = outgoing.conn.execute("select alert_id from crucible.alert_outbox order by 1").fetchall()
    assert [number for (number,) in left] == [made[1], waits]


def test_a_database_that_is_away_is_said_to_be_and_asked_again_later(outgoing: Outgoing) -> None:
    outbox = outgoing.outbox()
    outgoing.has_alert()
    assert len(outbox.waiting()) == 1
    outgoing.conn.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'crucible alerts' and datname = current_database()"
    )
    with pytest.raises(DatabaseAwayError):
        outbox.waiting()
    assert len(outbox.waiting()) == 1
    outbox.close()


def test_whoever_waits_hears_of_what_is_written(outgoing: Outgoing) -> None:
    outbox = outgoing.outbox()
    assert outbox.waiting() == []
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(outbox.await_news, 60.0)
        eventually(lambda: outbox._bell, "it waits")
        outgoing.conn.execute("notify crucible_alerts")
        heard.result(30)
    began = time.monotonic()
    outbox.await_news(0.05)
    assert time.monotonic() - began >= 0.05, "what was heard is heard once"
    outbox.close()


def test_whoever_waits_can_be_woken_before_and_while_it_does(outgoing: Outgoing) -> None:
    outbox = outgoing.outbox()
    assert outbox.waiting() == []
    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(outbox.await_news, 600.0)
        eventually(lambda: outbox._bell, "it waits")
        outbox.wake()
        woken.result(30)
    outbox.await_news(600.0)
    outbox.close()


def test_by_the_databases_own_clock_an_alert_of_a_moment_ago_is_due_when_its_group_is(
    outgoing: Outgoing,
) -> None:
    own = Outbox(outgoing.outbox()._connect)
    alert = outgoing.has_alert()
    outgoing.conn.execute("update crucible.alert_outbox set created_at = now(), due_at = now()")
    assert claim(own) == []
    assert ids(own.claim("hook", group_s=0.0, most=9, lease_s=LEASE_S)) == [alert]
    own.close()
