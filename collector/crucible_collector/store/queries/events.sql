-- Which events match these filters, newest first?
-- Leans on spans_run where a run is given, on spans_event, spans_errors or spans_kept where only that is,
-- else on spans_time: each gives them in order, so that a page costs a page.
select
-- include event_columns
from (
    select *
    from crucible.spans
    where (%(run)s::text is null or run_id = %(run)s)
-- include event_filters
    limit %(limit)s offset %(skip)s
) s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
order by s.time desc, s.time_ns_rest desc, s.trace_id desc, s.span_id desc
