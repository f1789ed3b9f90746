-- Which spans lie where transactions wrote some? Leans on spans_run and spans_experiment; where all are
-- wanted, on spans_time. Included where it is said which of them.
-- include live_windows_touched
,
found as (
    select s.*
    from windows w
    cross join lateral (
        select *
        from crucible.spans
        where time >= w.first and time <= w.last
          and (
              %(runs)s::text[] is null
              or run_id = any(w.runs)
              or (run_id is null and experiment_id = any(%(experiments)s::text[]))
          )
          and (%(events)s::text[] is null or event_name = any(%(events)s))
