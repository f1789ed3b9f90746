-- Between which steps lies a line?
-- Leans on points_series.
select
    min(step)::float8 as first,
    max(step)::float8 as last
from crucible.points
where points.series_id = %(series)s::bigint
-- include curve_range
