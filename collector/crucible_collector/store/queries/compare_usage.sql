-- What did these runs use in all: US dollars and tokens, of one event or of all?
-- Leans on the indexes of span_rollup by run; weighted where spans were sampled. What agents and tools tell
-- again of the calls within them is left out, as in `cost`.
with buckets as (
    -- Rows of a portable roll-up may come in several parts, of which one may have the cost of another's calls.
    select
        run_id,
        event_name,
        model,
        sum(usage_count) as usage_count,
        sum(input_token_sum) as input_token_sum,
        sum(output_token_sum) as output_token_sum,
        sum(cost_sum_usd) as cost_sum_usd,
        max(cost_max_usd) as cost_max_usd,
        min(probability_min) as probability_min
    from (
-- each sums: span_usage
    ) lying
    where run_id = any(%(runs)s::text[])
    group by time, run_id, event_name, model
)
select
    run_id,
    case when max(cost_max_usd) is not null then sum(cost_sum_usd) end as cost,
    coalesce(sum(input_token_sum), 0) + coalesce(sum(output_token_sum), 0) as tokens,
    coalesce(sum(usage_count) filter (where cost_max_usd is null and model is not null), 0)
        as unpriced_call_count,
    coalesce(min(probability_min), 1) < 1 as is_sampled
from buckets
where cost_max_usd is not null
   or event_name is null
   or event_name !~ '^(invoke_agent|create_agent|invoke_workflow|execute_tool|plan)( |$)'
group by run_id
order by run_id
