-- Of which run, or of which experiment's runs?
-- No index of its own: included where the query around it has chosen one. The story of an experiment is
-- that of its runs, and of what names it and no run.
    and (%(run)s::text is null or run_id = %(run)s)
    and (
        %(story)s::text is null
        or run_id = any (array(select run_id from crucible.runs where experiment_id = %(story)s))
        or (run_id is null and experiment_id = %(story)s)
    )
