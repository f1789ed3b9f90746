-- Which runs (r) are exported, with their experiments (e)?
-- Leans on runs_experiment_id where an experiment is given, on runs_first_seen for a period; included in the
-- exports of runs and their summary.
from crucible.runs r
left join crucible.experiments e on e.experiment_id = r.experiment_id
