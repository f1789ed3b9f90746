-- What are the mean, least and largest of the finite numbers that each rank of these runs measured?
-- Leans on series_run_id, then for each series on points_series.
select
    s.run_id,
    s.event_name,
    s.rank,
    avg(p.value) filter (where p.is_finite) as mean,
    min(p.value) filter (where p.is_finite) as min,
    max(p.value) filter (where p.is_finite) as max,
    max(p.step) as last_step,
    count(*) as point_count,
    count(*) filter (where not p.is_finite) as non_finite_count,
    true as is_reached,
    coalesce(min(s.unit), '') as unit
from crucible.series s
cross join lateral (
    select step, value, value between -1e100 and 1e100 as is_finite
    from crucible.points
    where points.series_id = s.series_id
      and points.value is not null
      and (%(from_step)s::bigint is null or points.step >= %(from_step)s)
      and (%(to_step)s::bigint is null or points.step < %(to_step)s)
    offset 0  -- else all points of all series are read and joined
) p
where s.run_id = any(%(runs)s::text[])
  and s.metric = %(metric)s
  and s.kind in ('measurement', 'gauge', 'sum')
  and (%(event)s::text is null or s.event_name = %(event)s)
group by s.run_id, s.event_name, s.rank
order by s.run_id, s.event_name, s.rank
