-- What do numbers of spans add up to, by time and by what is grouped by, with what makes their intervals?
-- Leans on what span_numbers leans on. Of a variance each trace has one term for each of its probabilities:
-- sum over a, b of (x_a/p_a)(x_b/p_b)(1 - max(p_a, p_b)), exact for any part of a trace. Deviations are summed
-- around the means of rows of one probability, so that nothing cancels.
-- include span_numbers
,
parts as (
    select
        *,
        sum(sum / p) over same / nullif(sum(n / p) over same, 0) as group_mean
    from (
        select
            key,
            p,
            count(x) as n,
            count(*) - count(x) as non_finite_count,
            sum(x) as sum,
            avg(x) as mean,
            var_pop(x) * count(x) as square_sum,
            min(x) as min,
            max(x) as max,
            max(duration_ns) as duration_max_ns
        from told
        group by key, p
    ) by_probability
    window same as (partition by key)
),
sums as (
    select
        key,
        sum(n)::bigint as stored_count,
        sum(non_finite_count)::bigint as non_finite_count,
        sum(n * ((1 - p) / p)) as unseen_count,
        sum(n / (p * p)) as weight_square_sum,
        coalesce(sum(sum), 0) as kept,
        coalesce(sum(sum * ((1 - p) / p)), 0) as unseen,
        sum((square_sum + n * (mean - group_mean) * (mean - group_mean)) / p) as square_sum,
        min(min) as min,
        max(max) as max,
        min(p) as probability_min,
        max(duration_max_ns)::float8 as duration_max_ns
    from parts
    group by key
),
of_traces as (
    select key, trace_id, p, count(x) / p as ones, coalesce(sum(x), 0) / p as numbers
    from told
    where p < 1
    group by key, trace_id, p
),
terms as (
    select
        key,
        count(distinct trace_id) as trace_count,
        sum((1 - p) * ones * (ones + 2 * ones_before)) as count_variance,
        sum((1 - p) * numbers * (numbers + 2 * numbers_before)) as variance,
        sum((1 - p) * (ones * numbers + ones * numbers_before + numbers * ones_before)) as covariance
    from (
        select
            *,
            coalesce(sum(ones) over before, 0) as ones_before,
            coalesce(sum(numbers) over before, 0) as numbers_before
        from of_traces
        window before as (
            partition by key, trace_id order by p rows between unbounded preceding and 1 preceding
        )
    ) in_order
    group by key
),
-- The smallest number that at least the fraction of the spans does not exceed.
reached as (
    select *, lag(below, 1, 0::float8) over (partition by key order by x) as before
    from (
        select
            key,
            x,
            sum(weight) over (partition by key order by x) as below,
            sum(weight) over (partition by key) as total
        from (
            select key, x, sum(1 / p) as weight
            from told
            where x is not null and cardinality(%(fractions)s::float8[]) > 0
            group by key, x
        ) by_number
    ) summed
),
percentiles as (
    select key, array_agg(value order by place) as percentiles
    from (
        select key, place, min(x) as value
        from reached
        join unnest(%(fractions)s::float8[]) with ordinality asked (fraction, place)
          on below >= fraction * total * (1 - 1e-12::float8) and before < fraction * total * (1 - 1e-12::float8)
        group by key, place
    ) met
    group by key
),
page as (
    select *
    from (
        select
            *,
            count(*) over () as group_count,
            sum(stored_count + non_finite_count) over () as row_count
        from sums
    ) counted
    where %(last_key)s::text[] is null or key >= %(last_key)s::text[]
    order by key
    limit %(limit)s offset %(skip)s
)
select
    page.*,
    coalesce(terms.trace_count, 0) as trace_count,
    coalesce(terms.count_variance, 0) as count_variance,
    coalesce(terms.variance, 0) as variance,
    coalesce(terms.covariance, 0) as covariance,
    percentiles.percentiles
from page
left join terms using (key)
left join percentiles using (key)
order by key
