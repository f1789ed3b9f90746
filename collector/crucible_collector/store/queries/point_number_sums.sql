-- What do the points of these series add up to, by time and by the group of each series?
-- Leans on the roll-ups of points; raw rows answer less than a minute at either end of the period. Rows of a
-- portable roll-up may come in several parts, with null for 0.
select
    crucible.rfc3339(time, 0::smallint) as time,
    group_number,
    count,
    non_finite_count,
    sum,
    min,
    max,
    group_count
from (
    select
        date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00') as time,
        group_number,
        coalesce(sum(count), 0)::bigint as count,
        coalesce(sum(non_finite_count), 0)::bigint as non_finite_count,
        coalesce(sum(sum), 0) as sum,
        min(min) as min,
        max(max) as max,
        count(*) over () as group_count
    from (
-- each sums: group_points
    ) pieces
    group by 1, 2
) summed
where %(last_number)s::int is null
   or (coalesce(time, '-infinity'), group_number) >= (coalesce(%(last_time)s::timestamptz, '-infinity'), %(last_number)s)
order by summed.time, group_number
limit %(limit)s offset %(skip)s
