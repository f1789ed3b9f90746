-- Which rows are of this trace, or under this correlation id?
-- No index of its own: included where the query around it has one.
  and (%(trace)s::uuid is null or trace_id = %(trace)s)
  and (
      %(correlation)s::text is null
      or correlation_id = %(correlation)s
      or (correlation_id is null and trace_id = %(correlation_trace)s::uuid)
  )
