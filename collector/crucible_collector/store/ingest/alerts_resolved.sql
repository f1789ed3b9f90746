-- Who was told of these periods, and wants to be told that they are over?
-- Leans on the unique index by period and webhook; whoever writes here holds the lock of the feed.
with quiet as materialized (
    select hook ->> 'name' as webhook
    from (
        select settings from crucible.detection_settings order by version desc limit 1
    ) in_force
    cross join lateral jsonb_path_query(settings, '$.webhooks[*] ? (@.tells_resolved == false)') as hook
)
insert into crucible.alert_outbox (period_id, kind, webhook, severity)
select p.period_id, 'resolved', firing.webhook, p.severity
from unnest(%(periods)s::uuid[]) with ordinality as told (period_id, place)
join crucible.anomaly_periods p on p.period_id = told.period_id
join crucible.alert_outbox firing on firing.period_id = p.period_id and firing.kind = 'firing'
where firing.webhook not in (select webhook from quiet where webhook is not null)
  and not exists (
      select from crucible.alert_outbox known
      where known.period_id = p.period_id and known.webhook = firing.webhook and known.kind = 'resolved'
  )
order by place, firing.alert_id
