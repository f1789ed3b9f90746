-- Which events are there, as they are exported?
-- Leans on spans_run, spans_experiment or spans_event where one of them is given, else on spans_time.
select
-- include export_event_columns
from crucible.spans s
left join crucible.runs u on u.run_id = s.run_id
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
where true
-- include export_run_filters
-- include export_span_filters
