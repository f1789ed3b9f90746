-- What is the last number that each rank of these runs measured under one name, up to a step?
-- Leans on series_run_id, then for each series on points_series from its end. A rank that was started
-- anew is another series: the later one counts.
select distinct on (s.run_id, s.event_name, s.rank)
    s.run_id,
    s.event_name,
    s.rank,
    p.value,
    p.step as last_step,
    1 as point_count,
    case when p.value in ('nan', 'infinity', '-infinity') then 1 else 0 end as non_finite_count,
    %(step)s::bigint is null or exists (
        select from crucible.points
        where points.series_id = s.series_id and points.step >= %(step)s
    ) as is_reached,
    coalesce(s.unit, '') as unit
from crucible.series s
cross join lateral (
    select value, step, time, time_ns_rest
    from crucible.points
    where points.series_id = s.series_id
      and points.value is not null
      and (%(step)s::bigint is null or points.step <= %(step)s)
    order by points.time desc, points.time_ns_rest desc
    limit 1
) p
where s.run_id = any(%(runs)s::text[])
  and s.metric = %(metric)s
  and s.kind in ('measurement', 'gauge', 'sum')
  and (%(event)s::text is null or s.event_name = %(event)s)
order by s.run_id, s.event_name, s.rank, p.time desc, p.time_ns_rest desc, s.series_id
