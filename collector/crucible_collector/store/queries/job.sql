-- How far is a job of a kind, or how did it end?
-- Leans on the primary key.
select
-- include job_columns
from crucible.jobs
cross join lateral (
    select state = 'running' and updated_at < now() - interval '5 minutes'
) told (is_orphaned)
where job_id = %(job)s and kind = %(kind)s
