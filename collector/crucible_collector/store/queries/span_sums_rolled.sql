-- What does the roll-up of spans say about a piece of the period?
-- Leans on the indexes of span_rollup by run, experiment or event, else on the one by time. The level is
-- that of the piece.
select
    time, experiment_id, run_id, event_name, model, status_code,
    row_count, count, count_variance, count_trace_variance, error_count, error_variance, probability_min,
    uncertain_event_traces, uncertain_traces, last_time,
    duration_sum_ns, duration_unseen_ns, duration_variance, duration_trace_variance,
    duration_min_ns, duration_max_ns,
    input_token_sum, input_token_unseen, input_token_variance, input_token_trace_variance, input_token_max,
    output_token_sum, output_token_unseen, output_token_variance, output_token_trace_variance,
    output_token_max,
    cost_sum_usd, cost_unseen_usd, cost_variance, cost_trace_variance, cost_max_usd
from crucible.span_rollup_1m
-- include piece
-- include span_run_filters
-- include span_filters
