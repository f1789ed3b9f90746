-- What is known of one run?
-- Leans on the primary key.
select
-- include run_columns
from crucible.runs r
-- include run_worst
where r.run_id = %(run)s
