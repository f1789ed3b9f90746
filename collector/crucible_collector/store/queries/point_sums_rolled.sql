-- What does the roll-up of points say about a piece of the period?
-- Leans on the index of point_rollup by series. The level is that of the piece.
select
    time, count, non_finite_count, sum, sum_squares, min, max, first, first_time, last, last_time
from crucible.point_rollup_1m
-- include piece
  and series_id = %(series)s
