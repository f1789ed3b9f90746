-- Which series does a run have, how many numbers are in each, and between which bounds?
-- Leans on series_run_id and on points_series. Reads every point of the
-- series on the page; numbers that are not finite are counted apart.
with found as (
    select *
    from crucible.series
    where run_id = %(run)s
      and kind in ('measurement', 'gauge', 'sum')
      and (
          %(last_metric)s::text is null
          or (metric, series_id) >= (%(last_metric)s, %(last_series)s)
      )
    order by metric, series_id
    limit %(limit)s offset %(skip)s
)
select
-- include series_columns
    ,
    n.point_count,
    n.non_finite_count,
    n.value_min,
    n.value_max,
    l.value as last_value,
    l.step as last_step,
    crucible.rfc3339(l.time, l.time_ns_rest) as last_time
from found s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes o on o.scope_id = s.scope_id
cross join lateral (
    select
        count(*) as point_count,
        count(*) filter (where value in ('nan', 'infinity', '-infinity')) as non_finite_count,
        min(value) filter (where value not in ('nan', 'infinity', '-infinity')) as value_min,
        max(value) filter (where value not in ('nan', 'infinity', '-infinity')) as value_max
    from crucible.points
    where points.series_id = s.series_id
) n
left join lateral (
    select value, step, time, time_ns_rest
    from crucible.points
    where points.series_id = s.series_id
    order by points.time desc, points.time_ns_rest desc
    limit 1
) l on true
order by s.metric, s.series_id
