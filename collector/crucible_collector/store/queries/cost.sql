-- What did calls of language models use and cost, by time and by what is grouped by, from the cursor on?
-- Leans on the roll-ups of spans; raw rows answer less than a minute at either end of the period. Conditions
-- are those of runs, by their primary key. Groups are of what told tokens or a cost, and without a cost not
-- of what agents and tools tell again of the calls within them, which the collector does not price either.
with buckets as (
    -- Rows of a portable roll-up may come in several parts, of which one may have the cost of another's calls.
    select
        time, experiment_id, run_id, event_name, model,
        sum(row_count) as row_count,
        sum(count) as count,
        sum(usage_count) as usage_count,
        sum(count_trace_variance) as count_trace_variance,
        min(probability_min) as probability_min,
        sum(uncertain_traces) as uncertain_traces,
        sum(input_token_sum) as input_token_sum,
        sum(input_token_unseen) as input_token_unseen,
        sum(input_token_trace_variance) as input_token_trace_variance,
        max(input_token_max) as input_token_max,
        sum(output_token_sum) as output_token_sum,
        sum(output_token_unseen) as output_token_unseen,
        sum(output_token_trace_variance) as output_token_trace_variance,
        max(output_token_max) as output_token_max,
        sum(cost_sum_usd) as cost_sum_usd,
        sum(cost_unseen_usd) as cost_unseen_usd,
        sum(cost_trace_variance) as cost_trace_variance,
        max(cost_max_usd) as cost_max_usd
    from (
-- each sums: span_usage
    ) lying
    group by 1, 2, 3, 4, 5
),
sums as (
    select
        date_bin(%(width)s::interval, pieces.time, timestamptz '2000-01-01 00:00:00+00') as time,
        case when %(by_experiment)s::bool then pieces.experiment_id end as experiment_id,
        case when %(by_run)s::bool then pieces.run_id end as run_id,
        case when %(by_condition)s::bool then runs.condition end as condition,
        case when %(by_event)s::bool then pieces.event_name end as event_name,
        case when %(by_model)s::bool then pieces.model end as model,
        sum(usage_count) as call_count,
        coalesce(sum(usage_count) filter (where cost_max_usd is null and pieces.model is not null), 0)
            as unpriced_call_count,
        coalesce(sum(coalesce(input_token_sum, 0) + coalesce(output_token_sum, 0))
            filter (where cost_max_usd is null and pieces.model is not null), 0) as unpriced_tokens,
        sum(count) = sum(usage_count) as is_all_calls,
        sum(row_count) as row_count,
        sum(count) as count,
        coalesce(sum(count_trace_variance), 0) as count_variance,
        min(probability_min) as probability_min,
        coalesce(sum(uncertain_traces), 0) as trace_count,
        coalesce(sum(input_token_sum), 0) as input_tokens,
        coalesce(sum(input_token_unseen), 0) as input_token_unseen,
        coalesce(sum(input_token_trace_variance), 0) as input_token_variance,
        coalesce(max(input_token_max), 0) as input_token_max,
        coalesce(sum(output_token_sum), 0) as output_tokens,
        coalesce(sum(output_token_unseen), 0) as output_token_unseen,
        coalesce(sum(output_token_trace_variance), 0) as output_token_variance,
        coalesce(max(output_token_max), 0) as output_token_max,
        case when max(cost_max_usd) is not null then coalesce(sum(cost_sum_usd), 0) end as cost_usd,
        coalesce(sum(cost_unseen_usd), 0) as cost_unseen_usd,
        coalesce(sum(cost_trace_variance), 0) as cost_variance,
        coalesce(max(cost_max_usd), 0) as cost_max_usd
    from buckets pieces
    left join crucible.runs on %(with_runs)s::bool and runs.run_id = pieces.run_id
    where (%(condition)s::text is null or runs.condition = %(condition)s)
      and (cost_max_usd is not null
        or pieces.event_name is null
        or pieces.event_name !~ '^(invoke_agent|create_agent|invoke_workflow|execute_tool|plan)( |$)')
    group by 1, 2, 3, 4, 5, 6
    having sum(row_count) > 0
)
select
    crucible.rfc3339(time, 0::smallint) as time,
    experiment_id, run_id, condition, event_name, model,
    call_count, unpriced_call_count, unpriced_tokens, is_all_calls, probability_min, trace_count,
    case when cost_usd is not null then json_build_array(
        cost_usd - cost_unseen_usd, cost_unseen_usd, cost_variance, cost_max_usd) end as cost_usd,
    json_build_array(input_tokens - input_token_unseen, input_token_unseen, input_token_variance,
        input_token_max) as input_tokens,
    json_build_array(output_tokens - output_token_unseen, output_token_unseen, output_token_variance,
        output_token_max) as output_tokens,
    json_build_array(row_count, count - row_count, count_variance, 1) as calls
from (
    select
        *,
        array[crucible.rfc3339(time, 0::smallint), experiment_id, run_id, condition, event_name, model]
            collate "C" as key
    from sums
) keyed
where (%(last_key)s::text[] is null or key >= %(last_key)s::text[])
  and (not %(unpriced)s::bool or unpriced_call_count > 0)
order by key
limit %(limit)s offset %(skip)s
