-- How is a version of the prices (s) given to a reader?
-- No index: these are its columns.
    s.version,
    s.origin,
    crucible.rfc3339(s.changed_at, 0::smallint) as changed_at,
    s.changed_by,
    s.reason,
    s.settings
