-- Which numbers did the other series of a period's run have, up to where it begins? The latest of each,
-- oldest first; nothing of a period without a run. A day back is enough for what changed just before.
-- Leans on anomaly_periods' primary key, series_run_id, then for each series on points_series.
with about as (
    select run_id, metric, series_id, started_at
    from crucible.anomaly_periods
    where period_id = %(period)s::uuid
)
select
    s.metric,
    s.event_name,
    s.rank,
    s.unit,
    p.steps,
    p.times,
    p.value_array as values
from about a
join crucible.series s
    on s.run_id = a.run_id
    and s.metric <> a.metric
    and s.kind in ('measurement', 'gauge')
cross join lateral (
    select
        array_agg(step order by time, time_ns_rest) as steps,
        array_agg(crucible.rfc3339(time, time_ns_rest) order by time, time_ns_rest) as times,
        array_agg(value order by time, time_ns_rest) as value_array
    from (
        select step, time, time_ns_rest, value
        from crucible.points
        where points.series_id = s.series_id
          and points.time <= a.started_at
          and points.time > a.started_at - interval '1 day'
          and points.value is not null
        order by points.time desc, points.time_ns_rest desc
        limit %(points)s
    ) latest
) p
where p.steps is not null
order by s.metric, s.series_id
limit %(series)s
