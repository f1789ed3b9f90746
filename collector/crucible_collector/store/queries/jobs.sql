-- Which jobs of a kind were there, the newest first?
-- No index: there are a thousand of a kind at most.
select
-- include job_columns
from crucible.jobs
cross join lateral (
    select state = 'running' and updated_at < now() - interval '5 minutes'
) told (is_orphaned)
where kind = %(kind)s
  and (%(last_created)s::timestamptz is null
       or (created_at, job_id) <= (%(last_created)s, %(last_id)s::uuid))
order by created_at desc, job_id desc
limit %(limit)s offset %(skip)s
