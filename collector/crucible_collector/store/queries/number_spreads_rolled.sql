-- How are the durations of these groups spread, and how sure is that?
-- Leans on the roll-ups of latencies; raw rows answer less than an hour at either end of the period.
-- `groups` are keys of a page that was answered before this.
with wanted as (
    select array(select jsonb_array_elements_text(each)) collate "C" as key
    from jsonb_array_elements(%(groups)s::jsonb) each
),
latencies as (
    select
        array[
            crucible.rfc3339(
                date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00'), 0::smallint
            ),
-- include rolled_group
        ] collate "C" as key,
        bucket,
        sum(count) as count,
        coalesce(sum(count_variance), 0) as variance
    from (
-- each latencies: span_spreads
    ) pieces
    group by 1, 2
)
select
    key,
    array_agg(crucible.bucket_duration_ns(bucket) / 1e6::float8 order by bucket) as value,
    array_agg(count order by bucket) as count,
    array_agg(variance order by bucket) as variance
from latencies
join wanted using (key)
where count > 0
group by key
