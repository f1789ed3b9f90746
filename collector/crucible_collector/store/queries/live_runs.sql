-- What is known now of the runs that these transactions have changed? Leans on the primary keys; where very
-- many were changed, on none: rows that were changed since are told with who did that.
with windows as materialized (
    select *
    from crucible.live_windows
    where window_xid = any(%(windows)s::text[]::xid8[])
),
changed as (
    select run_id
    from windows
    cross join lateral unnest(spans_of || changed) run_id
    union
    select run_id
    from crucible.runs
    where xmin = any(array(select window_xid::xid from windows where changed is null or spans_of is null))
)
select r.run_id, r.experiment_id, null as experiment_of_run, null as event_name, told.body
from changed
join crucible.runs r using (run_id)
-- include run_worst
cross join lateral (
    select row_to_json(answer)::text as body
    from (
        select
-- include run_columns
    ) answer
) told
where %(runs)s::text[] is null or r.run_id = any(%(runs)s) or r.experiment_id = any(%(experiments)s::text[])
order by r.run_id
