-- Which few of the numbers that a run measured under one name draw the same curve?
-- Leans on series_run_id and on points_series. The points in order are dealt into buckets of one size; of
-- each stay the least and the largest number, and the first that is not finite; and of all the first and
-- the last.
with numbered as (
    select
        s.event_name, s.rank, s.series_id, p.step, p.time, p.time_ns_rest, p.value,
        p.value is null or p.value in ('nan', 'infinity', '-infinity') as is_odd,
        count(*) over () as total,
        row_number() over (order by p.time, p.time_ns_rest, s.series_id, p.step, p.value) as n
-- include curve_points
),
dealt as (
    select *, (n - 1) * %(buckets)s::bigint / total as bucket
    from numbered
),
extremes as (
    select
        bucket,
        min(value) filter (where not is_odd) as least,
        max(value) filter (where not is_odd) as largest,
        min(n) filter (where is_odd) as odd
    from dealt
    group by bucket
),
kept as (
    select unnest(array[
        min(n) filter (where value = least and not is_odd),
        min(n) filter (where value = largest and not is_odd),
        min(odd)
    ]) as n
    from dealt
    join extremes using (bucket)
    where %(buckets)s::bigint > 0
    group by bucket
    union
    select unnest(array[min(n), max(n)]) from numbered
)
select
    step,
    crucible.rfc3339(time, time_ns_rest) as time,
    value,
    event_name,
    rank,
    lpad(to_hex(series_id), 16, '0') as series_id
from numbered
join kept using (n)
order by n
