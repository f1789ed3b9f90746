-- Which conditions do the runs of an experiment have?
-- Leans on runs_experiment_id.
select distinct r.condition
from crucible.runs r
where r.experiment_id = %(experiment)s
  and r.condition is not null
order by r.condition
limit %(limit)s
