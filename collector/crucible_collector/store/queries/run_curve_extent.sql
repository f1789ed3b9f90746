-- How many numbers did a run measure under one name, and is any of them not finite?
-- Leans on series_run_id and on points_series.
select
    count(*) as point_count,
    coalesce(bool_or(p.value is null or p.value in ('nan', 'infinity', '-infinity')), false)
        as has_non_finite
-- include curve_points
