"""Alerts arrive: through outages, in order, no more often than they have to, none lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import psycopg
import pytest

from collector.alerts.receiving import GROUP_S, NoReads, Outgoing, Receiver, hook, ordered, receiver
from crucible_collector import metrics
from crucible_collector.alerts.patience import DELAY_MAX_S
from crucible_collector.alerts.sender import ALERTS_MAX, LEASE_S, AlertSender
from crucible_collector.errors import DatabaseAwayError
from crucible_collector.store.connect import alerts_connection
from crucible_collector.store.outbox import GONE_AFTER_S, Due, Outbox
from harness import eventually


def counted(outcome: str, webhook: str = "hook") -> float:
    labels = {"webhook": webhook, "outcome": outcome}
    return metrics.REGISTRY.get_sample_value("crucible_alerts_total", labels) or 0.0


def test_an_alert_arrives_once_and_is_marked(outgoing: Outgoing, received: Receiver) -> None:
    alert = outgoing.has_alert()
    with outgoing.sender(hook(received.url)) as send:
        assert send() == 0
        outgoing.time.passes(GROUP_S)
        assert send() == 1
        outgoing.time.passes(10 * LEASE_S)
        assert send() == 0
    (request,) = received.requests
    assert request.path == "/hook"
    assert request.alert_ids == [alert]
    assert outgoing.row(alert)["sent_at"] is not None
    assert "X-Crucible-Signature" not in request.headers


def test_a_receiver_that_is_down_for_an_hour_gets_every_alert_once_and_in_order(
    outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with receiver() as gone:
        pass
    made = []
    with outgoing.sender(hook(gone.url, per_minute_max=1000.0)) as send:
        attempts = 0
        for minute in range(60):
            period = outgoing.has_period(run_id=f"run-{minute % 7}")
            made.append(outgoing.has_alert(period))
            if minute % 3 == 0:
                made.append(outgoing.has_alert(period, "resolved"))
            for _ in range(30):
                outgoing.time.passes(2.0)
                attempts += send()
        # Seldom, once it has been away for long; and never given up.
        assert attempts < 3600 / (DELAY_MAX_S / 2) + 10
        with receiver(gone.port) as back:
            outgoing.time.passes(DELAY_MAX_S)
            while send():
                outgoing.time.passes(1.0)
    assert sorted(back.alert_ids) == made
    firsts = [request.alert_ids[0] for request in back.requests]
    assert ordered(firsts)
    for run in range(7):
        of_run = [
            alert["alert_id"]
            for request in back.requests
            for alert in request.document["alerts"]
            if alert["period"]["run_id"] == f"run-{run}"
        ]
        assert ordered(of_run)


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
def test_while_a_receiver_asks_for_patience_nothing_overtakes(
    outgoing: Outgoing, received: Receiver, status: int
) -> None:
    received.answers = [(status, {})]
    first = outgoing.has_alert(run_id="a")
    second = outgoing.has_alert(run_id="b")
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url)) as send:
        assert send() == 1
        assert send() == 0
        outgoing.time.passes(2.0)
        assert send() == 2
    assert received.alert_ids == [first, first, second]
    sent_twice, _, _ = (request.headers["X-Crucible-Delivery"] for request in received.requests)
    assert received.requests[1].headers["X-Crucible-Delivery"] == sent_twice


@pytest.mark.parametrize(
    ("told", "waits_s"),
    [("120", 120.0), ("Mon, 23 Nov 2026 10:00:00 GMT", 0.5), ("a while", 0.5), ("1e9", 0.5)],
)
def test_retry_after_is_kept(
    outgoing: Outgoing, received: Receiver, told: str, waits_s: float
) -> None:
    received.answers = [(429, {"Retry-After": told})]
    outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url)) as send:
        send()
        outgoing.time.passes(waits_s - 0.1)
        assert send() == 0
        outgoing.time.passes(0.6)
        assert send() == 1


def test_what_the_receiver_stumbles_over_waits_alone_and_others_go_on(
    outgoing: Outgoing, received: Receiver
) -> None:
    received.answers = [(500, {})]
    first = outgoing.has_alert(run_id="a")
    second = outgoing.has_alert(run_id="b")
    outgoing.time.passes(GROUP_S)
    failed = counted("failed")
    with outgoing.sender(hook(received.url)) as send:
        assert send() == 2
        outgoing.time.passes(1.0)
        assert send() == 1
    assert received.alert_ids == [first, second, first]
    assert counted("failed") == failed + 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410])
def test_what_is_refused_for_good_is_given_up_at_once_logged_and_counted(
    outgoing: Outgoing,
    received: Receiver,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    received.answers = [(status, {"Location": f"{received.url}/elsewhere"})]
    received.body = b"no\nsuch channel"
    alert = outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    before = counted("refused")
    with outgoing.sender(hook(received.url)) as send, caplog.at_level(logging.WARNING):
        send()
        outgoing.time.passes(3600)
        assert send() == 0
    assert len(received.requests) == 1
    assert outgoing.row(alert)["last_error"] == f"HTTP {status}: no such channel"
    assert counted("refused") == before + 1
    (record,) = caplog.records
    assert "refused" in record.message
    assert received.url not in record.message


def test_an_answer_that_does_not_come_is_not_waited_for_and_the_delivery_keeps_its_id(
    outgoing: Outgoing, received: Receiver
) -> None:
    received.holds = threading.Event()
    outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url), timeout_s=0.2) as send:
        assert send() == 1
        outgoing.has_alert(metric="accuracy")
        received.holds.set()
        outgoing.time.passes(GROUP_S)
        assert send() == 2
    first, again, other = (request.headers["X-Crucible-Delivery"] for request in received.requests)
    assert first == again != other


def test_a_connection_that_breaks_before_the_answer_has_the_delivery_tried_again(
    outgoing: Outgoing, received: Receiver
) -> None:
    received.answers = [None]
    alert = outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url)) as send:
        send()
        assert outgoing.row(alert)["last_error"]
        outgoing.time.passes(1.0)
        send()
    assert received.alert_ids == [alert, alert]


class Dying(Outbox):
    """Dies between the receiver's answer and the mark."""

    def sent(self, alerts: Sequence[Due]) -> None:
        raise DatabaseAwayError(f"killed before {len(alerts)} were marked")


def test_a_crash_before_the_mark_sends_the_same_delivery_again_and_nothing_else(
    outgoing: Outgoing, received: Receiver
) -> None:
    outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    dying = Dying(outgoing.outbox()._connect, outgoing.time.now)
    with (
        outgoing.sender(hook(received.url), outbox=dying) as send,
        pytest.raises(DatabaseAwayError),
    ):
        send()
    later = outgoing.has_alert(metric="accuracy")
    with outgoing.sender(hook(received.url)) as send:
        assert send() == 0
        outgoing.time.passes(LEASE_S)
        assert send() == 2
    first, again, other = received.requests
    assert first.headers["X-Crucible-Delivery"] == again.headers["X-Crucible-Delivery"]
    assert first.alert_ids == again.alert_ids
    assert other.alert_ids == [later]


def test_two_senders_share_an_outbox_without_repeats(
    outgoing: Outgoing, received: Receiver
) -> None:
    made = [outgoing.has_alert(run_id=f"run-{number % 20}") for number in range(40)]
    outgoing.time.passes(GROUP_S)
    webhook = hook(received.url, per_minute_max=1000.0)
    with outgoing.sender(webhook) as one, outgoing.sender(webhook) as other:
        threads = [threading.Thread(target=send) for send in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(received.alert_ids) == made


def test_in_no_minute_are_there_more_requests_than_may_be_and_nothing_is_dropped(
    outgoing: Outgoing, received: Receiver
) -> None:
    made = [outgoing.has_alert(run_id=f"run-{number}") for number in range(25)]
    outgoing.time.passes(GROUP_S)
    by_second = []
    with outgoing.sender(hook(received.url, per_minute_max=6.0)) as send:
        for _ in range(300):
            by_second.append(send())
            outgoing.time.passes(1.0)
    assert max(sum(by_second[start : start + 60]) for start in range(240)) == 6
    assert received.alert_ids == made


def test_less_than_one_a_minute_can_be_asked_for(outgoing: Outgoing, received: Receiver) -> None:
    for number in range(3):
        outgoing.has_alert(run_id=f"run-{number}")
    outgoing.time.passes(GROUP_S)
    sent_at = []
    with outgoing.sender(hook(received.url, per_minute_max=0.5)) as send:
        for second in range(260):
            sent_at += [second] * send()
            outgoing.time.passes(1.0)
    assert sent_at == [0, 120, 240]


def test_a_message_holds_no_more_alerts_than_people_read(
    outgoing: Outgoing, received: Receiver
) -> None:
    made = [outgoing.has_alert() for _ in range(ALERTS_MAX + 1)]
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url)) as send:
        send()
    assert [request.alert_ids for request in received.requests] == [made[:-1], made[-1:]]


def test_what_was_silenced_meanwhile_is_not_sent(outgoing: Outgoing, received: Receiver) -> None:
    period = outgoing.has_period()
    alert = outgoing.has_alert(period)
    outgoing.is_now(period, state="silenced")
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url)) as send:
        assert send() == 0
    assert not received.requests
    assert outgoing.row(alert)["last_error"] == "its period was silenced"


def test_before_the_settings_are_known_nothing_is_taken_for_gone(outgoing: Outgoing) -> None:
    alert = outgoing.has_alert()
    outgoing.time.passes(GONE_AFTER_S + 1)
    with outgoing.sender(settings=None) as send:
        assert send() == 0
        assert outgoing.row(alert)["given_up_at"] is None
    with outgoing.sender() as send:
        assert send() == 0
    assert outgoing.row(alert)["given_up_at"] is not None


def test_what_cannot_arrive_in_time_is_given_up(outgoing: Outgoing, received: Receiver) -> None:
    late = outgoing.has_alert()
    outgoing.time.passes(3601)
    outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url, give_up_after_s=3600.0)) as send:
        assert send() == 1
    assert late not in received.alert_ids


def test_what_waits_and_for_how_long_is_on_the_metrics_page(outgoing: Outgoing) -> None:
    outgoing.has_alert(webhook="other")
    outgoing.time.passes(7.0)
    with outgoing.sender(hook(name="other", url_env="NOT_THERE")) as send:
        send()
        read = metrics.REGISTRY.get_sample_value
        assert read("crucible_waiting_alerts", {"webhook": "other"}) == 1
        assert read("crucible_oldest_alert_seconds", {"webhook": "other"}) == 7
        outgoing.conn.execute("truncate crucible.alert_outbox")
        send()
        assert read("crucible_waiting_alerts", {"webhook": "other"}) is None


def test_an_address_and_a_key_that_this_collector_does_not_have_are_waited_for(
    outgoing: Outgoing, received: Receiver
) -> None:
    alert = outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    environment: dict[str, str] = {}
    webhook = hook(url_env="HOOK_URL", secret_env="HOOK_KEY")
    with outgoing.sender(webhook, environment=environment) as send:
        send()
        assert "HOOK_KEY is not set" in outgoing.row(alert)["last_error"]
        environment |= {"HOOK_URL": received.url, "HOOK_KEY": "k"}
        outgoing.time.passes(1.0)
        send()
    assert received.alert_ids == [alert]
    assert outgoing.row(alert)["sent_at"] is not None


def test_an_address_that_nobody_can_be_asked_at_is_refused(outgoing: Outgoing) -> None:
    for url in ("ftp://example.org/x", "file:///etc/passwd", "http://127.0.0.1:port/"):
        alert = outgoing.has_alert(run_id=url)
        outgoing.time.passes(GROUP_S)
        with outgoing.sender(hook(url)) as send:
            send()
        assert outgoing.row(alert)["given_up_at"] is not None


def test_the_thread_sends_what_it_hears_of_and_ends_when_told(
    plain_database: str, received: Receiver
) -> None:
    sender = AlertSender(
        Outbox(lambda: alerts_connection(plain_database)),
        NoReads(),
        lambda: [hook(received.url, group_s=0.0)],
        lambda: "http://crucible:8080",
    )
    sender.start()
    assert sender.is_alive()
    with psycopg.connect(plain_database, autocommit=True) as conn:
        outgoing = Outgoing(plain_database, conn)
        with conn.transaction():
            outgoing.has_alert()
            conn.execute("update crucible.alert_outbox set created_at = now(), due_at = now()")
            conn.execute("notify crucible_alerts")
        eventually(lambda: received.requests, "the alert has arrived")
    sender.stop()
    assert not sender.is_alive()


def test_alerts_go_out_without_causes_while_these_cannot_be_looked_up(
    outgoing: Outgoing, received: Receiver
) -> None:
    class Away:
        def json_rows(self, question: str, /, **_parameters: object) -> list[str]:
            raise DatabaseAwayError(question)

    outgoing.has_alert()
    outgoing.time.passes(GROUP_S)
    with outgoing.sender(hook(received.url), reads=Away()) as send:
        send()
    assert received.requests[0].document["alerts"][0]["causes"] == []
