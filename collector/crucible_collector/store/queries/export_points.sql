-- Which numbers were measured, with whose they are?
-- Leans on points_series where a run, an experiment or a metric chooses few series; else all is read.
select
    p.time,
    p.time_ns_rest,
    coalesce(s.experiment_id, u.experiment_id) as experiment_id,
    s.run_id,
    u.condition,
    s.metric,
    s.event_name,
    s.rank,
    p.step,
    p.value,
    p.value_int,
    p.start_time,
    s.unit,
    s.source,
    s.kind,
    s.temporality,
    s.is_monotonic,
    p.series_id,
    r.service_name,
    s.attributes,
    p.exemplars,
    coalesce(p.flags, 0) as flags
from crucible.points p
join crucible.series s on s.series_id = p.series_id
left join crucible.runs u on u.run_id = s.run_id
left join crucible.resources r on r.resource_id = s.resource_id
where (%(run)s::text is null or s.run_id = %(run)s)
  and (
      %(experiment)s::text is null
      or s.run_id = any (array(select run_id from crucible.runs where experiment_id = %(experiment)s))
      or (s.run_id is null and s.experiment_id = %(experiment)s)
  )
  and (%(condition)s::text is null or u.condition = %(condition)s)
  and (%(event)s::text is null or s.event_name = %(event)s)
  and (%(metric)s::text is null or s.metric = %(metric)s)
  and (%(from_time)s::timestamptz is null or p.time >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or p.time < %(to_time)s)
