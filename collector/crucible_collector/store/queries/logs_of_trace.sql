-- Which log records does a trace have that match these filters, newest first?
-- Leans on logs_trace (BRIN): materialized, since the planner would otherwise walk the time index in the
-- hope of meeting one soon.
with together as materialized (
-- each periods: logs_together
)
select
-- include log_columns
from (
    select *
    from together
    where (%(run)s::text is null or run_id = %(run)s)
      and (
          %(experiment)s::text is null
          or experiment_id = %(experiment)s
          or run_id in (select run_id from crucible.runs where experiment_id = %(experiment)s)
      )
-- include log_filters
    limit %(limit)s offset %(skip)s
) l
left join crucible.resources r on r.resource_id = l.resource_id
left join crucible.scopes c on c.scope_id = l.scope_id
order by
    l.time desc, l.time_ns_rest desc,
    l.trace_id, l.span_id, l.resource_id, l.scope_id, l.run_id, l.step, l.epoch,
    l.observed_time, l.severity_number, l.body, l.attributes
