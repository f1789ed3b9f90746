"""What the doctor says of alerts: whether they reach their webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from crucible_collector.findings import Finding
from crucible_collector.store.partitions import Connection

# The longest that a webhook which is back is left alone is five minutes.
WAITING_S = 600.0

ALERTS = """
-- How many alerts wait for each webhook, since when and why, and how many were given up within a day? One
-- row a webhook. Those that wait lean on alert_outbox_due; no index for the rest, which is some thousand.
select webhook,
    count(*) filter (where waits),
    (extract(epoch from now() - min(created_at) filter (where waits)))::float8,
    (array_agg(last_error order by attempt_count desc, alert_id) filter (where waits))[1],
    count(*) filter (where sent_at > now() - interval '1 day'),
    count(*) filter (where was_lost),
    (array_agg(last_error order by given_up_at desc) filter (where was_lost))[1]
from (
    select *, sent_at is null and given_up_at is null as waits,
        given_up_at > now() - interval '1 day' and attempt_count > 0 as was_lost
    from crucible.alert_outbox
) known
group by webhook
order by webhook
"""


def alerts(conn: Connection) -> Iterator[Finding]:
    """Yield, for each webhook, whether alerts wait for it or were lost to it."""
    found = conn.execute(ALERTS).fetchall()
    if not found:
        yield Finding("alerts", "ok", "none was ever to be sent")
    for webhook, waiting, oldest_s, error, sent, lost, why_lost in found:
        facts = {"webhook": webhook, "waiting": waiting, "sent": sent, "lost": lost}
        if waiting and oldest_s > WAITING_S:
            says = f"{waiting} wait for {webhook}, the oldest for {oldest_s / 60:,.0f} minutes: "
            says += error or "none has been tried"
            remedy = "look at its receiver; whether a collector runs whose settings have it"
            yield Finding("alerts", "warning", says, remedy, facts)
        elif lost:
            says = f"{lost} to {webhook} were given up within a day: {why_lost}"
            remedy = "look at its address and at what it says; those are not sent any more"
            yield Finding("alerts", "warning", says, remedy, facts)
        else:
            says = f"{webhook} took {sent} within a day, {waiting} wait"
            yield Finding("alerts", "ok", says, facts=facts)
