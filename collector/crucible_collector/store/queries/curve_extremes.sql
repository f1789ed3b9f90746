-- Which points of a long line may be among the few that draw it?
-- Leans on points_series. The line is cut into stretches of one width; of each stay the least and the largest
-- point, and the first that is not finite; of all the first and the last. Points are arrays, which are ordered by
-- their first element: so one pass finds the least number and where it is.
with stretches as (
    select
        count(*) as point_count,
        count(*) filter (where is_odd) as odd_count,
        min(array[value, step, epoch_s, time_ns_rest]) filter (where not is_odd) as least,
        max(array[value, step, epoch_s, time_ns_rest]) filter (where not is_odd) as largest,
        min(array[x, step, epoch_s, time_ns_rest, value]) filter (where is_odd) as odd,
        min(array[x, step, epoch_s, time_ns_rest, value]) filter (where not is_odd and stretch <= 1) as first,
        max(array[x, step, epoch_s, time_ns_rest, value])
            filter (where not is_odd and stretch >= %(stretches)s::int) as last
    from (
        select
            *,
            width_bucket(x, %(first)s::float8, %(last)s::float8, %(stretches)s::int) as stretch
        from (
            select
                *,
                case when %(x)s::text = 'step' then step::float8 else epoch_s end as x
            from (
                select
                    step,
                    time_ns_rest,
                    value,
                    (value - value = 0) is not true as is_odd,  -- null, NaN or infinite
                    date_part('epoch', time) as epoch_s  -- exact to the microsecond, unlike a product with it
                from crucible.points
                where points.series_id = %(series)s::bigint
-- include curve_range
                offset 0  -- else each place that uses what is computed here computes it
            ) read
        ) placed
    ) dealt
    group by stretch
),
chosen as (
    select p.*
    from stretches
    cross join lateral (values
        (least[1], least[2], least[3], least[4], least is not null),
        (largest[1], largest[2], largest[3], largest[4], largest is not null),
        (odd[5], odd[2], odd[3], odd[4], odd is not null),
        (first[5], first[2], first[3], first[4], first is not null),
        (last[5], last[2], last[3], last[4], last is not null)
    ) p (value, step, epoch_s, time_ns_rest, is_there)
    where is_there
)
select
    (select sum(point_count)::bigint from stretches) as point_count,
    (select sum(odd_count)::bigint from stretches) as non_finite_count,
    array_agg(step::bigint) as step,
    array_agg(to_timestamp(epoch_s)) as time,
    array_agg(time_ns_rest::smallint) as time_ns_rest,
    array_agg(value) as value
from chosen
