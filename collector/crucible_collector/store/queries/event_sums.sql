-- What does the period add up to, by time and by what is grouped by, from the cursor on?
-- No index of its own: included in the aggregates of events, as two common table expressions. Rows of a
-- portable roll-up may come in several parts, with null for 0. `terms` are the variances that are wanted:
-- of one `event`, of whole `traces` with several, or `none` where nothing was sampled. Sums that are not
-- wanted are left out when the query is planned. A group of which all lies outside the period is not of it
-- (see span_sums_rim).
with sums as (
    select
-- include event_group
        ,
        sum(row_count)::bigint as stored_count,
        sum(count) as count,
        coalesce(case %(terms)s::text when 'event' then sum(count_variance)
            when 'traces' then sum(count_trace_variance) end, 0) as count_variance,
        coalesce(sum(error_count), 0) as error_count,
        -- Where terms are not wanted each row stands for itself.
        coalesce(case when %(terms)s::text <> 'none' then sum(row_count) filter (where status_code = 2)
            else sum(error_count) end, 0) as error_row_count,
        coalesce(case when %(terms)s::text <> 'none' then sum(error_variance) end, 0) as error_variance,
        coalesce(case %(terms)s::text when 'event' then sum(count_variance) filter (where status_code <> 2)
            when 'traces' then sum(count_trace_variance) filter (where status_code <> 2) end, 0)
            as other_variance,
        min(probability_min) as probability_min,
        coalesce(case %(terms)s::text when 'event' then sum(uncertain_event_traces)
            when 'traces' then sum(uncertain_traces) end, 0) as uncertain_traces,
        coalesce(sum(duration_sum_ns), 0) as duration_sum_ns,
        coalesce(case when %(terms)s::text <> 'none' then sum(duration_unseen_ns) end, 0) as duration_unseen_ns,
        coalesce(case %(terms)s::text when 'event' then sum(duration_variance)
            when 'traces' then sum(duration_trace_variance) end, 0) as duration_variance,
        min(duration_min_ns) as duration_min_ns,
        max(duration_max_ns) as duration_max_ns,
        case when max(input_token_max) is not null then coalesce(sum(input_token_sum), 0) end as input_tokens,
        coalesce(case when %(terms)s::text <> 'none' then sum(input_token_unseen) end, 0) as input_token_unseen,
        coalesce(case %(terms)s::text when 'event' then sum(input_token_variance)
            when 'traces' then sum(input_token_trace_variance) end, 0) as input_token_variance,
        max(input_token_max) as input_token_max,
        case when max(output_token_max) is not null then coalesce(sum(output_token_sum), 0) end as output_tokens,
        coalesce(case when %(terms)s::text <> 'none' then sum(output_token_unseen) end, 0) as output_token_unseen,
        coalesce(case %(terms)s::text when 'event' then sum(output_token_variance)
            when 'traces' then sum(output_token_trace_variance) end, 0) as output_token_variance,
        max(output_token_max) as output_token_max,
        case when max(cost_max_usd) is not null then coalesce(sum(cost_sum_usd), 0) end as cost_usd,
        coalesce(case when %(terms)s::text <> 'none' then sum(cost_unseen_usd) end, 0) as cost_unseen_usd,
        coalesce(case %(terms)s::text when 'event' then sum(cost_variance)
            when 'traces' then sum(cost_trace_variance) end, 0) as cost_variance,
        max(cost_max_usd) as cost_max_usd
    from (
-- each sums: span_sums
    ) pieces
    group by 1, 2, 3, 4, 5, 6
    having sum(row_count) > 0
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
