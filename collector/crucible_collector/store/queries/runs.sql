-- Which runs match these filters, newest first?
-- Leans on runs_first_seen, or on runs_experiment_id where an experiment is given.
select
-- include run_columns
from crucible.runs r
-- include run_worst
where (%(experiment)s::text is null or r.experiment_id = %(experiment)s)
  and (%(status)s::text[] is null or r.status = any(%(status)s))
  and (%(condition)s::text is null or r.condition = %(condition)s)
  and (%(kind)s::text is null or r.kind = %(kind)s)
  and (%(model)s::text is null or r.model_name = %(model)s)
  and (%(parent)s::text is null or r.parent_run_id = %(parent)s)
  and (%(prefix)s::text is null or starts_with(r.run_id, %(prefix)s))
  and (%(within)s::text is null or starts_with(r.experiment_id, %(within)s))
  and (%(from)s::timestamptz is null or r.last_seen >= %(from)s)
  and (%(to)s::timestamptz is null or r.first_seen < %(to)s)
  and (
      %(last_seen)s::timestamptz is null
      or (r.first_seen, r.run_id) <= (%(last_seen)s, %(last_id)s)
  )
order by r.first_seen desc, r.run_id desc
limit %(limit)s offset %(skip)s
