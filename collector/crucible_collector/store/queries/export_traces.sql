-- Which whole traces have an event that is asked for?
-- Leans on the indexes of export_events for these events; their traces are looked for among all spans, once.
select
-- include export_event_columns
from crucible.spans s
left join crucible.runs u on u.run_id = s.run_id
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
where s.trace_id in (
    select s.trace_id
    from crucible.spans s
    left join crucible.runs u on u.run_id = s.run_id
    where true
-- include export_run_filters
-- include export_span_filters
)
