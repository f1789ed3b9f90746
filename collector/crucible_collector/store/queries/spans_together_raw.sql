-- Which spans of a piece of the period belong to a trace, or under a correlation id?
-- Leans on spans_trace and spans_correlation (BRIN). What has no correlation id is under its trace's.
select *
from crucible.spans
-- include piece
-- include together_filters
