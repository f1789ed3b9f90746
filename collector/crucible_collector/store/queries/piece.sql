-- Which rows are of this piece of the period?
-- No index of its own: included where the query around it has chosen one. Each piece has bounds of its
-- own, which are constants to the planner, so that it leaves chunks and partitions out.
where (%(piece_from)s::timestamptz is null or time >= %(piece_from)s)
  and (%(piece_to)s::timestamptz is null or time < %(piece_to)s)
