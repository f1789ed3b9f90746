-- Which events lie under a correlation id, oldest first?
-- Leans on spans_correlation and spans_trace (BRIN), materialized for the reason given in
-- events_of_trace: an event without a correlation id is under that of its trace.
with together as materialized (
-- each periods: spans_together
)
select
-- include event_columns
from (
    select *
    from together
    where %(last_time)s::timestamptz is null
       or (time, time_ns_rest, trace_id, span_id)
           >= (%(last_time)s, %(last_rest)s, %(last_trace)s::uuid, %(last_span)s)
    order by time, time_ns_rest, trace_id, span_id
    limit %(limit)s offset %(skip)s
) s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
order by s.time, s.time_ns_rest, s.trace_id, s.span_id
