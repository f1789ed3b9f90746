-- Between which times lies a line?
-- Leans on points_series, on its ends alone.
select
    date_part('epoch', min(time)) as first,
    date_part('epoch', max(time)) as last
from crucible.points
where points.series_id = %(series)s::bigint
-- include curve_range
