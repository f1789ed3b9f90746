-- How do the points of these series lie, by time and by the group of each series?
-- Leans on points_series. Of finite numbers, as the roll-ups have it. An estimate of a percentile is the
-- smallest number that at least so many do not exceed.
select
    crucible.rfc3339(time, 0::smallint) as time,
    group_number,
    stddev_samp(value) as std,
    percentile_disc(%(fractions)s::float8[]) within group (order by value) as percentiles,
    sum(count(*)) over ()::bigint as row_count
from (
    select
        date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00') as time,
        group_number,
        value
    from crucible.points
    join unnest(%(series)s::bigint[], %(groups)s::int[]) chosen (series_id, group_number) using (series_id)
    where (%(from_time)s::timestamptz is null or time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or time < %(to_time)s)
      and value between -1e100 and 1e100
    limit %(rows_max)s::bigint
) numbers
group by numbers.time, group_number
