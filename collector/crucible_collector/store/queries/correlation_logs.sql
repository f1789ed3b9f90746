-- Which log records lie under a correlation id, oldest first?
-- Leans on logs_correlation and logs_trace (BRIN), materialized for the reason given in events_of_trace.
-- Records of the very same time are ordered by all that a reader sees of them.
with together as materialized (
-- each periods: logs_together
)
select
-- include log_columns
from (
    select *
    from together
    where %(last_time)s::timestamptz is null
       or (time, time_ns_rest) >= (%(last_time)s, %(last_rest)s)
    order by
        time, time_ns_rest, trace_id, span_id, resource_id, scope_id, run_id, step, epoch,
        observed_time, severity_number, body, attributes
    limit %(limit)s offset %(skip)s
) l
left join crucible.resources r on r.resource_id = l.resource_id
left join crucible.scopes c on c.scope_id = l.scope_id
order by
    l.time, l.time_ns_rest,
    l.trace_id, l.span_id, l.resource_id, l.scope_id, l.run_id, l.step, l.epoch,
    l.observed_time, l.severity_number, l.body, l.attributes
