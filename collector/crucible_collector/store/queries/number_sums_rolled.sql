-- What do numbers that roll-ups have add up to, by time and by what is grouped by?
-- Leans on the roll-ups of spans; raw rows answer less than a minute at either end of the period. Rows of a
-- portable roll-up may come in several parts, with null for 0. `terms` as event_sums has it. A group of which
-- all lies outside the period is not of it (see span_sums_rim).
with keyed as (
    select
        array[
            crucible.rfc3339(
                date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00'), 0::smallint
            ),
-- include rolled_group
        ] collate "C" as key,
        row_count,
        count,
        status_code,
        probability_min,
        duration_max_ns,
        case %(terms)s::text when 'event' then count_variance when 'traces' then count_trace_variance end
            as count_variance,
        case %(terms)s::text when 'event' then uncertain_event_traces when 'traces' then uncertain_traces end
            as trace_count,
        case %(metric)s::text
            when 'duration' then duration_sum_ns / 1e6::float8
            when 'cost' then cost_sum_usd
            when 'input_tokens' then input_token_sum
            when 'output_tokens' then output_token_sum
            else case when status_code = 2 then count end
        end as sum,
        case %(metric)s::text
            when 'duration' then duration_unseen_ns / 1e6::float8
            when 'cost' then cost_unseen_usd
            when 'input_tokens' then input_token_unseen
            when 'output_tokens' then output_token_unseen
            else case when status_code = 2 then count - row_count end
        end as unseen,
        case when %(terms)s::text <> 'none' then case %(metric)s::text
            when 'duration' then case %(terms)s::text when 'event' then duration_variance
                else duration_trace_variance end / 1e12::float8
            when 'cost' then case %(terms)s::text when 'event' then cost_variance else cost_trace_variance end
            when 'input_tokens' then case %(terms)s::text when 'event' then input_token_variance
                else input_token_trace_variance end
            when 'output_tokens' then case %(terms)s::text when 'event' then output_token_variance
                else output_token_trace_variance end
            else case when status_code = 2 then error_variance end
        end end as variance,
        case %(metric)s::text when 'duration' then duration_min_ns / 1e6::float8 end as min,
        case %(metric)s::text
            when 'duration' then duration_max_ns / 1e6::float8
            when 'cost' then cost_max_usd
            when 'input_tokens' then input_token_max
            when 'output_tokens' then output_token_max
            else case when status_code = 2 then 1 else 0 end
        end as max
    from (
-- each sums: span_sums
    ) pieces
    where %(metric)s::text <> 'errors' or status_code = 2
),
sums as (
    select
        key,
        sum(row_count)::bigint as stored_count,
        sum(count) - sum(row_count) as unseen_count,
        coalesce(sum(sum), 0) - coalesce(sum(unseen), 0) as kept,
        coalesce(sum(unseen), 0) as unseen,
        coalesce(sum(variance), 0) as variance,
        coalesce(sum(count_variance), 0) as count_variance,
        coalesce(sum(count_variance) filter (where status_code <> 2), 0) as other_variance,
        coalesce(sum(trace_count), 0) as trace_count,
        min(min) as min,
        max(max) as max,
        min(probability_min) as probability_min,
        max(duration_max_ns) as duration_max_ns
    from keyed
    group by key
    having sum(row_count) > 0
       and (max(max) is not null or %(metric)s::text not in ('cost', 'input_tokens', 'output_tokens'))
)
select *
from (select *, count(*) over () as group_count from sums) counted
where %(last_key)s::text[] is null or key >= %(last_key)s::text[]
order by key
limit %(limit)s offset %(skip)s
