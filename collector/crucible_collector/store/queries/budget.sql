-- How much may this experiment cost a day?
-- Leans on the primary key.
select
-- include budget_columns
from crucible.budgets b
where b.experiment_id = %(experiment)s
