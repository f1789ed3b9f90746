-- How far is a scan, or what did it find?
-- Leans on the primary key.
select
-- include anomaly_scan_columns
    ,
    report
from crucible.anomaly_scans
cross join lateral (
    select state = 'running' and updated_at < now() - interval '5 minutes'
) told (is_orphaned)
where scan_id = %(scan)s
