-- Which budgets are there, the one for all others first?
-- Leans on the primary key: there are as many rows as somebody wrote.
select
-- include budget_columns
from crucible.budgets b
where %(last_id)s::text is null or b.experiment_id >= %(last_id)s
order by b.experiment_id
limit %(limit)s offset %(skip)s
