"""What the doctor says of alerts."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from collector.alerts.receiving import GROUP_S, Outgoing
from crucible_collector.store.examine_alerts import WAITING_S, alerts


@pytest.fixture
def outgoing(plain_database: str) -> Iterator[Outgoing]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        yield Outgoing(plain_database, conn)


def age(outgoing: Outgoing, seconds: float) -> None:
    """What is in the outbox was made so long ago by the database's clock."""
    outgoing.conn.execute(
        "update crucible.alert_outbox set created_at = now() - %s * interval '1 second'", (seconds,)
    )


def test_without_alerts_all_is_well(outgoing: Outgoing) -> None:
    (finding,) = alerts(outgoing.conn)
    assert (finding.level, finding.says) == ("ok", "none was ever to be sent")


def test_what_waits_for_long_is_told_with_why(outgoing: Outgoing) -> None:
    outgoing.has_alert()
    age(outgoing, WAITING_S / 2)
    (finding,) = alerts(outgoing.conn)
    assert (finding.level, finding.says) == ("ok", "hook took 0 within a day, 1 wait")
    age(outgoing, WAITING_S * 2)
    (finding,) = alerts(outgoing.conn)
    assert finding.level == "warning"
    assert finding.says.endswith("the oldest for 20 minutes: none has been tried")
    outgoing.conn.execute("update crucible.alert_outbox set last_error = 'HTTP 503'")
    (finding,) = alerts(outgoing.conn)
    assert finding.says.endswith("HTTP 503")


def test_what_a_receiver_refused_is_told_and_what_was_silenced_is_not(outgoing: Outgoing) -> None:
    outbox = outgoing.outbox()
    refused, silenced = outgoing.has_alert(), outgoing.has_alert(webhook="other")
    outgoing.time.passes(GROUP_S)
    outbox.claim("hook", group_s=GROUP_S, most=1, lease_s=60)
    outbox.give_up([refused], "HTTP 404")
    outbox.give_up([silenced], "silenced")
    outbox.close()
    outgoing.conn.execute(
        "update crucible.alert_outbox set given_up_at = now() - interval '1 hour'"
    )
    lost, well = alerts(outgoing.conn)
    assert (lost.level, lost.says) == (
        "warning",
        "1 to hook were given up within a day: HTTP 404",
    )
    assert well.level == "ok"
