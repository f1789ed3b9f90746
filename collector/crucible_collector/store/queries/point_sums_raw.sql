-- What do points say about a piece of the period that is narrower than any roll-up?
-- Leans on points_series. Each point is a row like those of the roll-up, of itself alone; the bounds are
-- those of finite numbers there.
select
    time,
    is_finite::int as count,
    (not is_finite)::int as non_finite_count,
    case when is_finite then value else 0 end as sum,
    case when is_finite and abs(value) >= 1e-100 then value * value else 0 end as sum_squares,
    case when is_finite then value end as min,
    case when is_finite then value end as max,
    case when is_finite then value end as first,
    case when is_finite then time end as first_time,
    case when is_finite then value end as last,
    case when is_finite then time end as last_time
from (
    select time, value, value between -1e100 and 1e100 as is_finite
    from crucible.points
-- include piece
      and series_id = %(series)s
      and value is not null
) numbers
