-- What does the period add up to, by time and by what is grouped by, from the cursor on?
-- No index of its own: included in the aggregates of events, as two common table expressions. Rows of a
-- portable roll-up may come in several parts, with null for 0.
with sums as (
    select
-- include event_group
        ,
        sum(row_count)::bigint as stored_count,
        sum(count) as count,
        coalesce(sum(count_variance), 0) as count_variance,
        coalesce(sum(error_count), 0) as error_count,
        coalesce(sum(count_variance) filter (where status_code = 2), 0) as error_variance,
        min(probability_min) as probability_min,
        coalesce(sum(duration_sum_ns), 0) as duration_sum_ns,
        min(duration_min_ns) as duration_min_ns,
        max(duration_max_ns) as duration_max_ns,
        case when count(input_token_max) > 0 then coalesce(sum(input_token_sum), 0) end as input_tokens,
        coalesce(sum(input_token_variance), 0) as input_token_variance,
        case when count(output_token_max) > 0 then coalesce(sum(output_token_sum), 0) end as output_tokens,
        coalesce(sum(output_token_variance), 0) as output_token_variance,
        case when count(cost_max_usd) > 0 then coalesce(sum(cost_sum_usd), 0) end as cost_usd,
        coalesce(sum(cost_variance), 0) as cost_variance
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
