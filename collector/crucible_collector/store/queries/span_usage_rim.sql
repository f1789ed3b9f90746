-- How sure are sums over a piece of the period that cuts a minute?
-- Leans on what span_usage_raw leans on: see span_sums_rim, which says why.
select
    time, experiment_id, run_id, event_name, model,
    0 as row_count,
    0::float8 as count,
    0::float8 as usage_count,
    count_trace_variance,
    null::float8 as probability_min,
    uncertain_traces,
    null::float8 as input_token_sum,
    null::float8 as input_token_unseen,
    input_token_trace_variance,
    null::float8 as input_token_max,
    null::float8 as output_token_sum,
    null::float8 as output_token_unseen,
    output_token_trace_variance,
    null::float8 as output_token_max,
    null::float8 as cost_sum_usd,
    null::float8 as cost_unseen_usd,
    cost_trace_variance,
    null::float8 as cost_max_usd
from crucible.spans
-- include piece
  and sample_probability < 1
  and (input_tokens is not null or output_tokens is not null or cost_usd is not null)
-- include span_run_filters
-- include span_filters
