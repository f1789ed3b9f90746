-- How are spans (found) told to those who follow, oldest first?
-- Leans on the primary keys. What they are chosen by stands beside the row as a reader gets it.
    ) s
)
select s.run_id, s.experiment_id, u.experiment_id as experiment_of_run, s.event_name, told.body
from found s
left join crucible.runs u on u.run_id = s.run_id
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
cross join lateral (
    select row_to_json(answer)::text as body
    from (
        select
-- include event_columns
    ) answer
) told
order by s.time, s.time_ns_rest, s.trace_id, s.span_id
