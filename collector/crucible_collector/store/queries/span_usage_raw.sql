-- What do calls say about a piece of the period that is narrower than any roll-up?
-- Leans on spans_run where a run is given, else on spans_time: it is less than a minute. Each span is a
-- row like those of the roll-up, of itself alone.
select
    time, experiment_id, run_id, event_name, model,
    1 as row_count,
    1 / sample_probability as count,
    1 / sample_probability as usage_count,
    count_trace_variance,
    sample_probability as probability_min,
    uncertain_traces,
    input_tokens::float8 / sample_probability as input_token_sum,
    input_tokens::float8 * (1 - sample_probability) / sample_probability as input_token_unseen,
    input_token_trace_variance,
    input_tokens::float8 as input_token_max,
    output_tokens::float8 / sample_probability as output_token_sum,
    output_tokens::float8 * (1 - sample_probability) / sample_probability as output_token_unseen,
    output_token_trace_variance,
    output_tokens::float8 as output_token_max,
    case when cost_usd between -1e100 and 1e100 then cost_usd / sample_probability end as cost_sum_usd,
    case when cost_usd between -1e100 and 1e100
        then cost_usd * (1 - sample_probability) / sample_probability end as cost_unseen_usd,
    cost_trace_variance,
    case when cost_usd between -1e100 and 1e100 then cost_usd end as cost_max_usd
from crucible.spans
-- include piece
  and (input_tokens is not null or output_tokens is not null or cost_usd is not null)
-- include span_run_filters
-- include span_filters
