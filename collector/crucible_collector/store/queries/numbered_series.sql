-- Which series are there of a metric, each with what its points are grouped by?
-- Leans on series_metric.
select
    s.series_id,
    array[
-- include series_group
    ] as key
from crucible.series s
left join crucible.runs u on u.run_id = s.run_id
left join crucible.resources r on r.resource_id = s.resource_id
where s.metric = %(metric)s
  and s.kind in ('measurement', 'gauge', 'sum')
  and (%(experiments)s::text[] is null or s.experiment_id = any(%(experiments)s))
  and (%(runs)s::text[] is null or s.run_id = any(%(runs)s))
  and (%(conditions)s::text[] is null or u.condition = any(%(conditions)s))
  and (%(events)s::text[] is null or s.event_name = any(%(events)s))
  and (%(services)s::text[] is null or r.service_name = any(%(services)s))
order by s.series_id
limit %(limit)s
