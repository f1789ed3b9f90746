-- Which points lie where transactions wrote some? Leans on the primary key of series, or on series_run_id,
-- then on points_series. Included where it is said which of them.
-- include live_windows_touched
,
found as (
    select s.*, u.experiment_id as experiment_of_run, p.step, p.time, p.time_ns_rest, p.value
    from windows w
    join crucible.series s on (w.points_of is null or s.series_id = any(w.points_of))
    left join crucible.runs u on u.run_id = s.run_id
    cross join lateral (
        select step, time, time_ns_rest, value
        from crucible.points
        where points.series_id = s.series_id
          and time >= w.first and time <= w.last
