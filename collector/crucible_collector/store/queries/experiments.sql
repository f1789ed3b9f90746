-- Which experiments are there, newest first?
-- No index: one row an experiment, and they are few.
select
-- include experiment_columns
from crucible.experiments e
where (%(status)s::text is null or e.status = %(status)s)
  and (
      %(last_seen)s::timestamptz is null
      or (e.first_seen, e.experiment_id) <= (%(last_seen)s, %(last_id)s)
  )
order by e.first_seen desc, e.experiment_id desc
limit %(limit)s offset %(skip)s
