-- How is a budget (b) given to a reader?
-- No index: these are its columns.
    nullif(b.experiment_id, '') as experiment_id,
    b.usd_per_day,
    crucible.rfc3339(b.changed_at, 0::smallint) as changed_at,
    b.changed_by,
    b.reason
