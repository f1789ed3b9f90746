-- Which periods are open of these series and detectors, and which were over a moment ago?
-- Leans on anomaly_periods_open and anomaly_periods_resolved.
select p.*
from unnest(%(keys)s::bigint[], %(detectors)s::text[]) as asked (watch_key, detector)
join crucible.anomaly_periods p
    on p.watch_key = asked.watch_key and p.detector = asked.detector and p.label = %(label)s
where p.state <> 'resolved'
union all
select p.*
from unnest(%(keys)s::bigint[], %(detectors)s::text[]) as asked (watch_key, detector)
cross join lateral (
    select *
    from crucible.anomaly_periods
    where state = 'resolved'
      and watch_key = asked.watch_key
      and state_at > now() - %(late)s
      and detector = asked.detector
      and label = %(label)s
      and ended_at is not null
    order by ended_at desc
    limit 1
) p
