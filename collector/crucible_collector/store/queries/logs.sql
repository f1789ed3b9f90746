-- Which log records match these filters, newest first?
-- Leans on logs_run where a run is given, on logs_warnings where only a severity from there on is, else
-- on logs_time: each gives them in order, so that a page costs a page.
select
-- include log_columns
from (
    select *
    from crucible.logs
    where (%(run)s::text is null or run_id = %(run)s)
-- include log_filters
    limit %(limit)s offset %(skip)s
) l
left join crucible.resources r on r.resource_id = l.resource_id
left join crucible.scopes c on c.scope_id = l.scope_id
order by
    l.time desc, l.time_ns_rest desc,
    l.trace_id, l.span_id, l.resource_id, l.scope_id, l.run_id, l.step, l.epoch,
    l.observed_time, l.severity_number, l.body, l.attributes
