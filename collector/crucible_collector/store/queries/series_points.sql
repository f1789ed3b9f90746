-- Which numbers does one series have, oldest first?
-- Leans on points_series.
select
    step,
    crucible.rfc3339(time, time_ns_rest) as time,
    value,
    value_int::text as value_int,
    crucible.rfc3339(start_time, 0::smallint) as start_time,
    coalesce(flags, 0) as flags,
    coalesce(exemplars, '[]') as exemplars
from crucible.points p
where p.series_id = %(series)s
  and (%(from_time)s::timestamptz is null or p.time >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or p.time < %(to_time)s)
  and (
      %(last_time)s::timestamptz is null
      or (p.time >= %(last_time)s and (p.time, p.time_ns_rest) >= (%(last_time)s, %(last_rest)s))
  )
order by p.time, p.time_ns_rest, p.value, p.step
limit %(limit)s offset %(skip)s
