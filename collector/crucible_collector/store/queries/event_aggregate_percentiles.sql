-- How many events, how long, with percentiles, how dear, by time and by what is grouped by?
-- Leans on the roll-ups of spans and of latencies; raw rows answer less than a minute, and for the
-- percentiles less than an hour, at either end of the period. Percentiles are those of the page alone.
-- include event_sums
,
latencies as (
    select
-- include event_group
        ,
        bucket,
        sum(count) as count
    from (
-- each latencies: span_latencies
    ) pieces
    group by 1, 2, 3, 4, 5, 6, 7
),
-- As crucible.duration_percentiles, for all groups in one go: a call a group costs half a millisecond.
reached as (
    select
        *,
        sum(count) over (in_order order by bucket) as below,
        sum(count) over in_order as total
    from latencies
    where count > 0
    window in_order as (partition by time, experiment_id, run_id, event_name, model, status_code)
),
met as (
    select
        time, experiment_id, run_id, event_name, model, status_code,
        min(bucket) filter (where below >= 0.5 * total * (1 - 1e-12::float8)) as p50,
        min(bucket) filter (where below >= 0.9 * total * (1 - 1e-12::float8)) as p90,
        min(bucket) filter (where below >= 0.95 * total * (1 - 1e-12::float8)) as p95,
        min(bucket) filter (where below >= 0.99 * total * (1 - 1e-12::float8)) as p99,
        min(bucket) filter (where below >= 0.999 * total * (1 - 1e-12::float8)) as p99_9
    from reached
    group by 1, 2, 3, 4, 5, 6
),
percentiles as (
    select
        crucible.significant(crucible.bucket_duration_ns(p50) / 1e6::float8) as p50_ms,
        crucible.significant(crucible.bucket_duration_ns(p90) / 1e6::float8) as p90_ms,
        crucible.significant(crucible.bucket_duration_ns(p95) / 1e6::float8) as p95_ms,
        crucible.significant(crucible.bucket_duration_ns(p99) / 1e6::float8) as p99_ms,
        crucible.significant(crucible.bucket_duration_ns(p99_9) / 1e6::float8) as p99_9_ms,
-- include event_group_key
    from met
    offset 0  -- else each would be computed wherever it is asked for
)
select
-- include event_sums_columns
    ,
    p50_ms,
    case when told.is_exact then json_build_array(p50_ms, p50_ms) end as p50_ms_interval,
    p90_ms,
    case when told.is_exact then json_build_array(p90_ms, p90_ms) end as p90_ms_interval,
    p95_ms,
    case when told.is_exact then json_build_array(p95_ms, p95_ms) end as p95_ms_interval,
    p99_ms,
    case when told.is_exact then json_build_array(p99_ms, p99_ms) end as p99_ms_interval,
    p99_9_ms,
    case when told.is_exact then json_build_array(p99_9_ms, p99_9_ms) end as p99_9_ms_interval
from page
left join percentiles using (key)
-- include event_sums_told
order by key
