-- How sure are sums over a piece of the period that cuts a minute?
-- Leans on what span_sums_raw leans on: it is less than a minute. The terms that spans carry are those of whole
-- minutes, on the first span of each trace and key, which may lie outside the piece: here is what of its
-- minute does. So terms are of all of the minute, too large for a part and never 0; sums have none of it.
select
    time, experiment_id, run_id, event_name, model, status_code,
    0 as row_count,
    0::float8 as count,
    coalesce(count_variance, 0) as count_variance,
    count_trace_variance,
    0::float8 as error_count,
    error_variance,
    null::float8 as probability_min,
    uncertain_event_traces,
    uncertain_traces,
    null::timestamptz as last_time,
    0::float8 as duration_sum_ns,
    0::float8 as duration_unseen_ns,
    coalesce(duration_variance, 0) as duration_variance,
    duration_trace_variance,
    null::float8 as duration_min_ns,
    null::float8 as duration_max_ns,
    0::float8 as input_token_sum,
    0::float8 as input_token_unseen,
    coalesce(input_token_variance, 0) as input_token_variance,
    input_token_trace_variance,
    null::float8 as input_token_max,
    0::float8 as output_token_sum,
    0::float8 as output_token_unseen,
    coalesce(output_token_variance, 0) as output_token_variance,
    output_token_trace_variance,
    null::float8 as output_token_max,
    0::float8 as cost_sum_usd,
    0::float8 as cost_unseen_usd,
    coalesce(cost_variance, 0) as cost_variance,
    cost_trace_variance,
    null::float8 as cost_max_usd
from crucible.spans
-- include piece
  and sample_probability < 1
-- include span_run_filters
-- include span_filters
