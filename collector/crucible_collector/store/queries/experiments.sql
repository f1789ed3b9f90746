-- Which experiments are there, newest first?
-- No index: one row an experiment, and they are few.
select
-- include experiment_columns
from crucible.experiments e
where (%(status)s::text[] is null or e.status = any(%(status)s))
  and (%(tags)s::text[] is null or e.tags @> %(tags)s)
  and (%(owner)s::text is null or e.owner = %(owner)s)
  and (%(prefix)s::text is null or starts_with(e.experiment_id, %(prefix)s))
  and (%(within)s::text is null or starts_with(e.experiment_id, %(within)s))
  and (
      %(text)s::text is null
      or position(lower(%(text)s) in lower(concat_ws(' ', e.name, e.hypothesis))) > 0
  )
  and (
      %(last_seen)s::timestamptz is null
      or (e.first_seen, e.experiment_id) <= (%(last_seen)s, %(last_id)s)
  )
order by e.first_seen desc, e.experiment_id desc
limit %(limit)s offset %(skip)s
