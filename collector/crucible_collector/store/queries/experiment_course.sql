-- How long did an experiment go on, how long was it paused, and how are its runs?
-- Leans on primary keys, and on runs_experiment_id.
select
    span.wall_clock_ms as wall_clock_duration_ms,
    greatest(span.wall_clock_ms - paused.duration_ms, 0) as active_duration_ms,
    least(paused.duration_ms, span.wall_clock_ms) as paused_duration_ms,
    coalesce((
        select json_object_agg(status, run_count order by status)
        from (
            select status, count(*) as run_count
            from crucible.runs
            where experiment_id = e.experiment_id
            group by status
        ) counted
    ), '{}') as runs_by_status
from crucible.experiments e
cross join lateral (
    select extract(epoch from e.last_seen - e.first_seen)::float8 * 1e3::float8 as wall_clock_ms
) span
cross join lateral (
    -- One that its own process has ended since, ended then; one that goes on counts to what was last heard.
    select coalesce(e.paused_duration_ns, 0) / 1e6::float8 + coalesce(sum(extract(epoch from greatest(
        coalesce(p.ended_at, case when e.status <> 'paused' then e.status_at end, e.last_seen) - p.paused_at,
        interval '0'
    ))::float8 * 1e3::float8), 0) as duration_ms
    from crucible.experiment_pauses p
    where p.experiment_id = e.experiment_id
) paused
where e.experiment_id = %(experiment)s
