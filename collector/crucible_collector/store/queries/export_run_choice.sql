-- Which runs (r) are exported?
-- No index of its own: included where the query around it has chosen one.
where (%(run)s::text is null or r.run_id = %(run)s)
  and (%(experiment)s::text is null or r.experiment_id = %(experiment)s)
  and (%(condition)s::text is null or r.condition = %(condition)s)
  and (%(status)s::text is null or r.status = %(status)s)
  and (%(model)s::text is null or r.model_name = %(model)s)
  and (%(from_time)s::timestamptz is null or r.first_seen >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or r.first_seen < %(to_time)s)
