-- By what are rows grouped?
-- No index: included in the select lists of sums and latencies. What is not asked for is null, the same
-- for all rows; so is the time where one row stands for the whole period.
        date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00') as time,
        case when %(by_experiment)s::bool then experiment_id end as experiment_id,
        case when %(by_run)s::bool then run_id end as run_id,
        case when %(by_event)s::bool then event_name end as event_name,
        case when %(by_model)s::bool then model end as model,
        case when %(by_status)s::bool then status_code end as status_code
