-- Which scans were there, the newest first?
-- No index: there are a thousand at most.
select
-- include anomaly_scan_columns
from crucible.anomaly_scans
cross join lateral (
    select state = 'running' and updated_at < now() - interval '5 minutes'
) told (is_orphaned)
where %(last_created)s::timestamptz is null
   or (created_at, scan_id) <= (%(last_created)s, %(last_id)s::uuid)
order by created_at desc, scan_id desc
limit %(limit)s offset %(skip)s
