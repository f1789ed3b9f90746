-- What do spans say about a piece of the period that is narrower than any roll-up?
-- Leans on spans_run where a run is given, else on spans_time: it is less than a minute. Each span is a
-- row like those of the roll-up, of itself alone.
select
    time, experiment_id, run_id, event_name, model, status_code,
    1 as row_count,
    1 / sample_probability as count,
    coalesce(count_variance, 0) as count_variance,
    count_trace_variance,
    case when status_code = 2 then 1 / sample_probability else 0 end as error_count,
    error_variance,
    sample_probability as probability_min,
    uncertain_event_traces,
    uncertain_traces,
    time as last_time,
    duration_ns::float8 / sample_probability as duration_sum_ns,
    duration_ns::float8 * (1 - sample_probability) / sample_probability as duration_unseen_ns,
    coalesce(duration_variance, 0) as duration_variance,
    duration_trace_variance,
    duration_ns::float8 as duration_min_ns,
    duration_ns::float8 as duration_max_ns,
    coalesce(input_tokens::float8 / sample_probability, 0) as input_token_sum,
    coalesce(input_tokens::float8 * (1 - sample_probability) / sample_probability, 0)
        as input_token_unseen,
    coalesce(input_token_variance, 0) as input_token_variance,
    input_token_trace_variance,
    input_tokens::float8 as input_token_max,
    coalesce(output_tokens::float8 / sample_probability, 0) as output_token_sum,
    coalesce(output_tokens::float8 * (1 - sample_probability) / sample_probability, 0)
        as output_token_unseen,
    coalesce(output_token_variance, 0) as output_token_variance,
    output_token_trace_variance,
    output_tokens::float8 as output_token_max,
    case when cost_usd between -1e100 and 1e100 then cost_usd / sample_probability else 0 end
        as cost_sum_usd,
    coalesce(case when cost_usd between -1e100 and 1e100
        then cost_usd * (1 - sample_probability) / sample_probability end, 0)
        as cost_unseen_usd,
    coalesce(cost_variance, 0) as cost_variance,
    cost_trace_variance,
    case when cost_usd between -1e100 and 1e100 then cost_usd end as cost_max_usd
from crucible.spans
-- include piece
-- include span_run_filters
-- include span_filters
