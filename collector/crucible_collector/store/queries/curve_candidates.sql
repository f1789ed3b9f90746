-- Which points of these lines may be among the few that draw them?
-- Leans on points_series. The points of each in order are dealt into buckets of one size, of which the least and
-- the largest stay; so do the first and the last of all. Of those that are not finite the first of each of so
-- many stretches stays. A line with no more points than `points` has them all.
with numbered as (
    select
        l.series_id,
        l.line,
        l.buckets,
        l.odd_buckets,
        p.step,
        p.time,
        p.time_ns_rest,
        p.value,
        p.is_odd,
        extract(epoch from p.time - coalesce(u.started_at, u.first_seen, s.first_seen))::float8
            + p.time_ns_rest * 1e-9::float8 as relative_s,
        row_number() over in_order as n,
        count(*) over kind as kind_total,
        row_number() over (
            partition by l.line, p.is_odd
            order by case when %(x)s::text = 'step' then p.step end, p.time, p.time_ns_rest, p.step, p.value
        ) as kind_n
    from unnest(%(series)s::bigint[], %(buckets)s::bigint[], %(odd_buckets)s::bigint[])
        with ordinality l (series_id, buckets, odd_buckets, line)
    join crucible.series s on s.series_id = l.series_id
    left join crucible.runs u on u.run_id = s.run_id
    cross join lateral (
        select
            step, time, time_ns_rest, value,
            value is null or value in ('nan', 'infinity', '-infinity') as is_odd
        from crucible.points
        where points.series_id = l.series_id
-- include curve_range
    ) p
    window
        kind as (partition by l.line, p.is_odd),
        in_order as (
            partition by l.line
            order by case when %(x)s::text = 'step' then p.step end, p.time, p.time_ns_rest, p.step, p.value
        )
),
dealt as (
    select
        *,
        (kind_n - 1) * case when is_odd then odd_buckets else buckets end / kind_total as bucket
    from numbered
),
marked as (
    select
        *,
        min(value) over bucket as least,
        max(value) over bucket as largest
    from dealt
    window bucket as (partition by line, is_odd, bucket)
),
kept as (
    select
        line,
        unnest(case
            when is_odd then array[min(n)]
            else array[min(n) filter (where value = least), min(n) filter (where value = largest)]
        end) as n
    from marked
    where case when is_odd then odd_buckets else buckets end > 0
    group by line, is_odd, bucket
    union
    select line, unnest(array[min(n), max(n)])
    from numbered
    where not is_odd
    group by line
)
select
    line - 1 as line,
    array_agg(step order by n) as step,
    array_agg(crucible.rfc3339(time, time_ns_rest) order by n) as time,
    array_agg(crucible.significant(relative_s) order by n) as relative_s,
    array_agg(value order by n) as value
from numbered
join kept using (line, n)
group by line
order by line
