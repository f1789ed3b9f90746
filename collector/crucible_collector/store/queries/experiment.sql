-- What is known of one experiment?
-- Leans on the primary key.
select
-- include experiment_columns
from crucible.experiments e
where e.experiment_id = %(experiment)s
