-- Which log records of a piece of the period belong to a trace, or under a correlation id?
-- Leans on logs_trace and logs_correlation (BRIN). What has no correlation id is under its trace's.
select *
from crucible.logs
-- include piece
-- include together_filters
