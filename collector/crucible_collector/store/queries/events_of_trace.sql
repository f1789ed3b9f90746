-- Which events does a trace, or a correlation id, have that match these filters, newest first?
-- Leans on spans_trace and spans_correlation (BRIN): materialized, since the planner would otherwise
-- walk the time index in the hope of meeting one soon.
with together as materialized (
-- each periods: spans_together
)
select
-- include event_columns
from (
    select *
    from together
    where (%(run)s::text is null or run_id = %(run)s)
      and (
          %(experiment)s::text is null
          or experiment_id = %(experiment)s
          or run_id in (select run_id from crucible.runs where experiment_id = %(experiment)s)
      )
-- include event_filters
    limit %(limit)s offset %(skip)s
) s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
order by s.time desc, s.time_ns_rest desc, s.trace_id desc, s.span_id desc
