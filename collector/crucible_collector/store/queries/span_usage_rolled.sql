-- What does the roll-up of spans say of calls in a piece of the period?
-- Leans on the indexes of span_rollup by run, experiment or event, else on the one by time. The level is
-- that of the piece. A part of a portable roll-up that corrects costs has nothing but these.
select
    time, experiment_id, run_id, event_name, model,
    row_count, count, usage_count, count_trace_variance, probability_min, uncertain_traces,
    input_token_sum, input_token_unseen, input_token_trace_variance, input_token_max,
    output_token_sum, output_token_unseen, output_token_trace_variance, output_token_max,
    cost_sum_usd, cost_unseen_usd, cost_trace_variance, cost_max_usd
from crucible.span_rollup_1m
-- include piece
  and (usage_count <> 0 or cost_sum_usd <> 0 or cost_max_usd is not null)
-- include span_run_filters
-- include span_filters
