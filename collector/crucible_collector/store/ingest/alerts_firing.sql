-- Who is to be told of these periods, and has not been?
-- Leans on the unique index by period and webhook; whoever writes here holds the lock of the feed.
insert into crucible.alert_outbox (period_id, kind, webhook, severity)
select period_id, 'firing', webhook, severity
from jsonb_array_elements(%(alerts)s::jsonb) with ordinality as told (body, place)
cross join lateral jsonb_populate_record(null::crucible.alert_outbox, body) as due
where not exists (
    select from crucible.alert_outbox known
    where known.period_id = due.period_id and known.webhook = due.webhook and known.kind = 'firing'
)
order by place
