-- Which points have these lines, at most so many of each?
-- Leans on points_series. A row a line, of arrays: `line` counts from 0. Not in order, which would have the
-- server hold all lines at once.
select
    (l.line - 1)::int as line,
    p.*
from unnest(%(series)s::bigint[]) with ordinality l (series_id, line)
cross join lateral (
    select
        array_agg(step) as step,
        array_agg(time) as time,
        array_agg(time_ns_rest) as time_ns_rest,
        array_agg(value) as value
    from (
        select step, time, time_ns_rest, value
        from crucible.points
        where points.series_id = l.series_id
-- include curve_range
        limit %(points)s
    ) chosen
) p
