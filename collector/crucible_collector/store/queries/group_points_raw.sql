-- What do the points of these series say about a piece of the period that no roll-up answers?
-- Leans on points_series. Each point is a row like those of the roll-up, of itself alone; the bounds are those
-- of finite numbers there.
select
    time,
    group_number,
    is_finite::int as count,
    (not is_finite)::int as non_finite_count,
    case when is_finite then value else 0 end as sum,
    case when is_finite then value end as min,
    case when is_finite then value end as max
from (
    select time, group_number, value, value between -1e100 and 1e100 as is_finite
    from crucible.points
    join unnest(%(series)s::bigint[], %(groups)s::int[]) chosen (series_id, group_number) using (series_id)
-- include piece
      and value is not null
) numbers
