-- What does the roll-up of points say of these series about a piece of the period?
-- Leans on the index of point_rollup by series. The level is that of the piece.
select time, group_number, count, non_finite_count, sum, min, max
from crucible.point_rollup_1m
join unnest(%(series)s::bigint[], %(groups)s::int[]) chosen (series_id, group_number) using (series_id)
-- include piece
