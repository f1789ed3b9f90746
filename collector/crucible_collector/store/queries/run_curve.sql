-- Which numbers did a run measure under one name, oldest first?
-- Leans on series_run_id, then for each series (one a rank and event) on points_series.
select
    p.step,
    crucible.rfc3339(p.time, p.time_ns_rest) as time,
    p.value,
    s.event_name,
    s.rank,
    lpad(to_hex(s.series_id), 16, '0') as series_id
from crucible.series s
cross join lateral (
    select step, time, time_ns_rest, value
    from crucible.points
    where points.series_id = s.series_id
      and (%(from_time)s::timestamptz is null or points.time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or points.time < %(to_time)s)
      and (%(from_step)s::bigint is null or points.step >= %(from_step)s)
      and (%(to_step)s::bigint is null or points.step < %(to_step)s)
      and (
          %(last_time)s::timestamptz is null
          or (
              points.time >= %(last_time)s
              and (points.time, points.time_ns_rest, s.series_id)
                  >= (%(last_time)s, %(last_rest)s, %(last_series)s)
          )
      )
    order by points.time, points.time_ns_rest, points.step, points.value
    limit %(limit)s::bigint + %(skip)s
) p
where s.run_id = %(run)s
  and s.metric = %(metric)s
  and (%(event)s::text is null or s.event_name = %(event)s)
  and (%(rank)s::bigint is null or s.rank = %(rank)s)
order by p.time, p.time_ns_rest, s.series_id, p.step, p.value
limit %(limit)s offset %(skip)s
