-- Of which run, experiment, condition and period are rows (s) with their run (u) exported?
-- No index of its own: included where the query around it has chosen one. The story of an experiment is
-- that of its runs, and of what names it and no run.
    and (%(run)s::text is null or s.run_id = %(run)s)
    and (
        %(experiment)s::text is null
        or s.run_id = any (array(select run_id from crucible.runs where experiment_id = %(experiment)s))
        or (s.run_id is null and s.experiment_id = %(experiment)s)
    )
    and (%(condition)s::text is null or coalesce(s.condition, u.condition) = %(condition)s)
    and (%(from_time)s::timestamptz is null or s.time >= %(from_time)s)
    and (%(to_time)s::timestamptz is null or s.time < %(to_time)s)
