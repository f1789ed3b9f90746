-- How many numbers does a series have in each stretch of time, and how do they lie?
-- Leans on the roll-ups of points; raw rows answer less than a minute at either end of the period. The deviation
-- is the sample's (n - 1), of one number none. What is below the precision of float8 sums counts as no deviation:
-- of numbers that lie so close, their squares say nothing more. Squares of means below 1e-100 would leave float8's
-- range.
-- Rows of a portable roll-up may come in several parts, with null for 0.
with sums as (
    select
        date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00') as time,
        coalesce(sum(count), 0)::bigint as count,
        coalesce(sum(non_finite_count), 0)::bigint as non_finite_count,
        coalesce(sum(sum), 0) as sum,
        coalesce(sum(sum_squares), 0) / nullif(sum(count), 0)::float8 as mean_square,
        coalesce(sum(sum), 0) / nullif(sum(count), 0)::float8 as mean,
        min(min) as min,
        max(max) as max,
        (array_agg(first order by first_time) filter (where first_time is not null))[1] as first,
        (array_agg(last order by last_time desc) filter (where last_time is not null))[1] as last
    from (
-- each sums: point_sums
    ) pieces
    group by 1
    order by 1
    limit %(limit)s offset %(skip)s
),
spread as (
    select
        *,
        mean_square - case when abs(mean) < 1e-100 then 0 else mean * mean end as variance
    from sums
)
select
    crucible.rfc3339(time, 0::smallint) as time,
    count,
    non_finite_count,
    crucible.significant(mean) as mean,
    case
        when count < 2 then null
        when min = max or variance <= 1e-14 * mean_square then 0
        else crucible.significant(sqrt(variance * (count / (count - 1)::float8)))
    end as std,
    min,
    max,
    first,
    last,
    case when count > 0 then crucible.significant(sum) end as sum
from spread
order by spread.time
