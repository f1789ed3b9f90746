-- What is the latest number of each metric of a run, over all ranks and by the event that measured it?
-- Leans on series_run_id and on points_series.
with latest as (
    select distinct on (s.metric, s.event_name)
        s.metric, s.event_name, s.rank, s.unit, s.series_id,
        p.step, p.time, p.time_ns_rest, p.value, p.value_int
    from crucible.series s
    cross join lateral (
        select *
        from crucible.points
        where points.series_id = s.series_id
        order by points.time desc, points.time_ns_rest desc
        limit 1
    ) p
    where s.run_id = %(run)s
    order by s.metric, s.event_name, p.time desc, p.time_ns_rest desc, s.series_id
)
select
    metric,
    event_name,
    rank,
    unit,
    lpad(to_hex(series_id), 16, '0') as series_id,
    step,
    crucible.rfc3339(time, time_ns_rest) as time,
    value,
    value_int::text as value_int
from latest
order by metric, event_name
limit %(limit)s
