-- Which runs match these filters, newest first?
-- Leans on runs_first_seen, or on runs_experiment_id where an experiment is given.
select
-- include run_columns
from crucible.runs r
-- include run_worst
where (%(experiment)s::text is null or r.experiment_id = %(experiment)s)
  and (%(status)s::text is null or r.status = %(status)s)
  and (%(condition)s::text is null or r.condition = %(condition)s)
  and (
      %(last_seen)s::timestamptz is null
      or (r.first_seen, r.run_id) <= (%(last_seen)s, %(last_id)s)
  )
order by r.first_seen desc, r.run_id desc
limit %(limit)s offset %(skip)s
