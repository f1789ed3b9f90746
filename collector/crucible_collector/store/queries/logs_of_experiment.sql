-- Which log records does an experiment have, newest first?
-- Its runs' records and those that name it and no run. Leans on runs_experiment_id, then on logs_run for
-- the newest of each run, and on logs_experiment.
select
-- include log_columns
from (
    select *
    from (
        (
            select found.*
            from crucible.runs
            cross join lateral (
                select *
                from crucible.logs
                where logs.run_id = runs.run_id
-- include log_filters
                limit %(limit)s::bigint + %(skip)s
            ) found
            where runs.experiment_id = %(experiment)s
              and (%(run)s::text is null or runs.run_id = %(run)s)
        )
        union all
        (
            select *
            from crucible.logs
            where run_id is null
              and experiment_id = %(experiment)s
              and %(run)s::text is null
-- include log_filters
            limit %(limit)s::bigint + %(skip)s
        )
    ) both_kinds
    order by
        time desc, time_ns_rest desc, trace_id, span_id, resource_id, scope_id, run_id, step, epoch,
        observed_time, severity_number, body, attributes
    limit %(limit)s offset %(skip)s
) l
left join crucible.resources r on r.resource_id = l.resource_id
left join crucible.scopes c on c.scope_id = l.scope_id
order by
    l.time desc, l.time_ns_rest desc,
    l.trace_id, l.span_id, l.resource_id, l.scope_id, l.run_id, l.step, l.epoch,
    l.observed_time, l.severity_number, l.body, l.attributes
