-- Which traces and correlation ids does the window have in days of which the hints may be made already?
-- No index is asked, and nobody is waited for. What is there twice is dropped when it is folded.
insert into crucible.late_traces (day, hash)
select day, crucible.trace_hash(trace_id)
from unnest(%(trace_days)s::date[], %(traces)s::uuid[]) as late (day, trace_id)
union
select day, crucible.correlation_hash(correlation_id)
from unnest(%(correlation_days)s::date[], %(correlations)s::text[]) as late (day, correlation_id)
