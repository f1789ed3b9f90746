-- Which records (s) are an experiment's: those that name it, and those of its runs?
-- Leans on runs_experiment_id; included where the query around it has chosen the index of the records.
  and (
      %(experiment)s::text is null
      or s.experiment_id = %(experiment)s
      or s.run_id in (select run_id from crucible.runs where experiment_id = %(experiment)s)
  )
