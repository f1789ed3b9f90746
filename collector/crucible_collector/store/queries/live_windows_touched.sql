-- Where do these transactions' rows lie, and which of those runs that are asked for may they be of?
-- Leans on the primary keys of live_windows and of runs, and on runs_experiment_id.
with windows as materialized (
    select
        w.window_xid,
        w.is_exact,
        w.points_of,
        lower(stretch) as first,
        upper(stretch) as last,
        case when %(runs)s::text[] is not null then array(
            select run_id
            from crucible.runs
            where (run_id = any(%(runs)s) or experiment_id = any(%(experiments)s))
              and (w.spans_of is null or run_id = any(w.spans_of))
        ) end as runs
    from crucible.live_windows w
    cross join lateral unnest(w.times) stretch
    where w.window_xid = any(%(windows)s::text[]::xid8[])
)
