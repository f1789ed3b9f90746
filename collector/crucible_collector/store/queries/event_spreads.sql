-- How are the durations of these sampled groups spread, and how sure is that?
-- Leans on the roll-ups of latencies; raw rows answer less than an hour at either end of the period.
-- `groups` are keys of a page that was answered before this: those that were not sampled are not asked for.
with wanted as (
    select array(select jsonb_array_elements_text(each)) collate "C" as key
    from jsonb_array_elements(%(groups)s::jsonb) each
),
latencies as (
    select
-- include event_group
        ,
        bucket,
        sum(count) as count,
        coalesce(sum(count_variance), 0) as variance
    from (
-- each latencies: span_spreads
    ) pieces
    group by 1, 2, 3, 4, 5, 6, 7
),
keyed as (
    select
        bucket, count, variance,
-- include event_group_key
    from latencies
    where count > 0
)
select
    key,
    array_agg(crucible.significant(crucible.bucket_duration_ns(bucket) / 1e6::float8) order by bucket)
        as duration_ms,
    array_agg(count order by bucket) as count,
    array_agg(variance order by bucket) as variance
from keyed
join wanted using (key)
group by key
