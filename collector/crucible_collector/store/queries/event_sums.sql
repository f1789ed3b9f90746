-- What does the period add up to, by time and by what is grouped by, from the cursor on?
-- No index of its own: included in the aggregates of events, as two common table expressions.
with sums as (
    select
-- include event_group
        ,
        sum(row_count)::bigint as stored_count,
        sum(count) as count,
        sum(count_variance) as count_variance,
        sum(error_count) as error_count,
        sum(count_variance) filter (where status_code = 2) as error_variance,
        min(probability_min) as probability_min,
        sum(duration_sum_ns) as duration_sum_ns,
        min(duration_min_ns) as duration_min_ns,
        max(duration_max_ns) as duration_max_ns,
        sum(input_token_sum) filter (where input_token_max is not null) as input_tokens,
        sum(input_token_variance) as input_token_variance,
        sum(output_token_sum) filter (where output_token_max is not null) as output_tokens,
        sum(output_token_variance) as output_token_variance,
        sum(cost_sum_usd) filter (where cost_max_usd is not null) as cost_usd,
        sum(cost_variance) as cost_variance
    from (
-- each sums: span_sums
    ) pieces
    group by 1, 2, 3, 4, 5, 6
),
page as (
    select *
    from (
        select
            *,
-- include event_group_key
        from sums
    ) keyed
    where %(last_key)s::text[] is null or key >= %(last_key)s::text[]
    order by key
    limit %(limit)s offset %(skip)s
)
