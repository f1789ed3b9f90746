-- Which windows of this journal are yet to be decided, or to be learned from after a restart?
-- Primary key, in its order: some hundred rows.
select start_position, end_position, duplicates
from crucible.windows
where journal_id = %(journal_id)s
order by start_position
