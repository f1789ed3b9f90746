-- In which bucket of span_latency is a duration, and which durations are a bucket's, or a percentile's?
-- No index: they are computed. Buckets grow by gamma = (1 + 0.01) / (1 - 0.01), so that what stands for
-- a bucket is within 1 % of everything in it (Masson, Rim & Lee 2019). Changing gamma would make the
-- buckets that are stored mean something else: it takes a migration.

-- 0 has a bucket of its own, -1: point events are as short as that, and ln(0) is an error.
create or replace function crucible.duration_bucket(duration_ns bigint)
    returns int language sql immutable parallel safe
    return case when duration_ns <= 0 then -1
                else ceil(ln(duration_ns::float8) / 0.020000666706669525)::int end;

comment on function crucible.duration_bucket(bigint) is
    'The bucket of span_latency that a duration in ns is counted in';

create or replace function crucible.bucket_duration_ns(bucket int)
    returns float8 language sql immutable parallel safe
    return case when bucket < 0 then 0
                else 2 * exp(bucket * 0.020000666706669525::float8) / (1 + 1.01::float8 / 0.99) end;

comment on function crucible.bucket_duration_ns(int) is
    'The duration in ns that stands for a bucket of span_latency: within 1 % of each in it';

-- The smallest duration that at least the asked-for fraction of the spans does not exceed (inverted
-- distribution function; nothing is interpolated). A bucket may come several times, as it does where
-- rows of several events, hours or collectors are taken together. The fraction is met where only the
-- rounding of a sum of weights is missing.
create or replace function crucible.duration_percentiles(
        fractions float8[], buckets int[], counts float8[])
    returns float8[] language sql immutable parallel safe
begin atomic
    with grouped as (
        select bucket, sum(count) as count
        from unnest(buckets, counts) as given (bucket, count)
        group by bucket having sum(count) > 0
    ),
    -- Materialized: else it is made anew for every fraction, as PostgreSQL sees it asked for only once.
    reached as materialized (
        select bucket, sum(count) over (order by bucket) as count, sum(count) over () as total
        from grouped
    )
    select array_agg(
        (select crucible.bucket_duration_ns(min(bucket)) from reached
         where count >= fraction * total * (1 - 1e-12::float8))
        order by place)
    from unnest(fractions) with ordinality as asked (fraction, place);
end;

comment on function crucible.duration_percentiles(float8[], int[], float8[]) is
    'Percentiles of durations in ns, each within 1 %, from the rows of span_latency: '
    'duration_percentiles(array[0.5, 0.95, 0.99], array_agg(bucket), array_agg(count))';
