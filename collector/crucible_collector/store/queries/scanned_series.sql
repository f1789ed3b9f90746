-- Which series are scanned, in order of their ids, and whose are they?
-- Leans on the primary key, series_run_id or series_metric; of an experiment, on runs_experiment_id, too.
select
    s.series_id,
    s.rank,
    s.source,
    s.metric,
    coalesce(s.event_name, '') as event_name,
    coalesce(s.experiment_id, '') as experiment_id,
    coalesce(s.run_id, '') as run_id,
    coalesce(r.service_name, '') as service_name,
    coalesce(u.condition, '') as condition,
    s.kind = 'sum' and s.temporality = 'cumulative' and coalesce(s.is_monotonic, false) as is_counter,
    array(
        select coalesce(s.attributes ->> asked.key, r.attributes ->> asked.key)
        from unnest(%(attributes)s::text[]) with ordinality as asked (key, place)
        order by asked.place
    ) as attributes
from crucible.series s
left join crucible.runs u on u.run_id = s.run_id
left join crucible.resources r on r.resource_id = s.resource_id
where s.kind in ('measurement', 'gauge', 'sum')
  and (%(series)s::bigint is null or s.series_id = %(series)s)
  and (%(run)s::text is null or s.run_id = %(run)s)
  and (
      %(experiment)s::text is null
      or s.experiment_id = %(experiment)s
      or s.run_id in (select run_id from crucible.runs where experiment_id = %(experiment)s)
  )
  and (%(metric)s::text is null or s.metric = %(metric)s)
  and (%(event)s::text is null or s.event_name = %(event)s)
  and (%(rank)s::bigint is null or s.rank = %(rank)s)
order by s.series_id
