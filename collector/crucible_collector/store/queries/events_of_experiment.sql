-- Which events does an experiment have, newest first?
-- Its runs' events and those that name it and no run. Leans on runs_experiment_id, then on spans_run for
-- the newest of each run, and on spans_experiment.
select
-- include event_columns
from (
    select *
    from (
        (
            select found.*
            from crucible.runs
            cross join lateral (
                select *
                from crucible.spans
                where spans.run_id = runs.run_id
-- include event_filters
                limit %(limit)s::bigint + %(skip)s
            ) found
            where runs.experiment_id = %(experiment)s
              and (%(run)s::text is null or runs.run_id = %(run)s)
        )
        union all
        (
            select *
            from crucible.spans
            where run_id is null
              and experiment_id = %(experiment)s
              and %(run)s::text is null
-- include event_filters
            limit %(limit)s::bigint + %(skip)s
        )
    ) both_kinds
    order by time desc, time_ns_rest desc, trace_id desc, span_id desc
    limit %(limit)s offset %(skip)s
) s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
order by s.time desc, s.time_ns_rest desc, s.trace_id desc, s.span_id desc
