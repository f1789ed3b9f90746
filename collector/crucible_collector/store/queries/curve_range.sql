-- Which points of a line are asked for?
-- No index of its own: included where the query around it has chosen one.
      and (%(from_time)s::timestamptz is null or points.time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or points.time < %(to_time)s)
      and (%(from_step)s::bigint is null or points.step >= %(from_step)s)
      and (%(to_step)s::bigint is null or points.step < %(to_step)s)
      and (%(x)s::text <> 'step' or points.step is not null)
