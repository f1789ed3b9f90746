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
percentiles as (
    select
        key,
        crucible.duration_percentiles(
            array[0.5, 0.9, 0.95, 0.99, 0.999], array_agg(bucket), array_agg(count)
        ) as ns
    from (
        select
            bucket,
            count,
-- include event_group_key
        from latencies
    ) keyed
    where key in (select key from page)
    group by key
)
select
-- include event_sums_columns
    ,
    crucible.significant(ns[1] / 1e6::float8) as p50_ms,
    crucible.significant(ns[2] / 1e6::float8) as p90_ms,
    crucible.significant(ns[3] / 1e6::float8) as p95_ms,
    crucible.significant(ns[4] / 1e6::float8) as p99_ms,
    crucible.significant(ns[5] / 1e6::float8) as p99_9_ms
from page
left join percentiles using (key)
order by key
