-- Which spans of a piece of the period belong to a trace, or under a correlation id?
-- Leans on spans_trace and spans_correlation (BRIN). What has no correlation id is under its trace's.
-- Two branches, since `or` would keep the columnstore from using its Bloom filters; and a condition that
-- no index fits, since the one on correlation ids would be read for all that have none.
select *
from crucible.spans
-- include piece
  and (%(trace)s::uuid is null or trace_id = %(trace)s)
  and (%(correlation)s::text is null or correlation_id = %(correlation)s)
union all
select *
from crucible.spans
-- include piece
  and (%(trace)s::uuid is null or trace_id = %(trace)s)
  and %(correlation)s::text is not null
  and (correlation_id is null) is true
  and trace_id = %(correlation_trace)s::uuid
