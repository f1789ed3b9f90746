-- How is a group of events (page) given to a reader?
-- No index: included in the aggregates of events. An interval is written here where it has no width; of
-- sums that were sampled, or may have been, `estimated` carries what it is made of: of each what was kept,
-- what stands for the rest, the variance and the largest.
    crucible.rfc3339(page.time, 0::smallint) as time,
    page.experiment_id,
    page.run_id,
    page.event_name,
    page.model,
    coalesce((array['unset', 'ok', 'error'])[page.status_code + 1], page.status_code::text) as status,
    told.count,
    crucible.significant(sqrt(page.count_variance)) as count_standard_error,
    case when told.is_exact then json_build_array(told.count, told.count) end as count_interval,
    page.stored_count,
    told.error_count,
    crucible.significant(sqrt(page.error_variance)) as error_count_standard_error,
    case when told.is_exact then json_build_array(told.error_count, told.error_count) end
        as error_count_interval,
    told.error_rate,
    case when told.is_exact then json_build_array(told.error_rate, told.error_rate) end
        as error_rate_interval,
    told.duration_total_ms,
    crucible.significant(sqrt(page.duration_variance) / 1e6::float8) as duration_total_ms_standard_error,
    case when told.is_exact then json_build_array(told.duration_total_ms, told.duration_total_ms) end
        as duration_total_ms_interval,
    told.duration_mean_ms,
    case when told.is_exact then json_build_array(told.duration_mean_ms, told.duration_mean_ms) end
        as duration_mean_ms_interval,
    crucible.significant(page.duration_min_ns / 1e6::float8) as duration_min_ms,
    crucible.significant(page.duration_max_ns / 1e6::float8) as duration_max_ms,
    told.input_tokens,
    crucible.significant(sqrt(page.input_token_variance)) as input_tokens_standard_error,
    case when told.is_exact and told.input_tokens is not null
        then json_build_array(told.input_tokens, told.input_tokens) end as input_tokens_interval,
    told.output_tokens,
    crucible.significant(sqrt(page.output_token_variance)) as output_tokens_standard_error,
    case when told.is_exact and told.output_tokens is not null
        then json_build_array(told.output_tokens, told.output_tokens) end as output_tokens_interval,
    told.cost_usd,
    crucible.significant(sqrt(page.cost_variance)) as cost_usd_standard_error,
    case when told.is_exact and told.cost_usd is not null
        then json_build_array(told.cost_usd, told.cost_usd) end as cost_usd_interval,
    case when told.is_exact and not told.may_be_thinned then to_json(false) else json_build_object(
        'probability_min', page.probability_min,
        'traces', page.uncertain_traces,
        'count_variance', page.count_variance,
        'count', json_build_array(
            page.stored_count, page.count - page.stored_count, page.count_variance, 1),
        'error_count', json_build_array(
            page.error_row_count, page.error_count - page.error_row_count, page.error_variance, 1),
        'other_count', json_build_array(
            page.stored_count - page.error_row_count,
            page.count - page.error_count - (page.stored_count - page.error_row_count),
            page.other_variance, 1),
        'duration_total_ms', json_build_array(
            (page.duration_sum_ns - page.duration_unseen_ns) / 1e6::float8,
            page.duration_unseen_ns / 1e6::float8,
            page.duration_variance / 1e12::float8,
            page.duration_max_ns / 1e6::float8),
        'input_tokens', json_build_array(page.input_tokens - page.input_token_unseen,
            page.input_token_unseen, page.input_token_variance, page.input_token_max),
        'output_tokens', json_build_array(page.output_tokens - page.output_token_unseen,
            page.output_token_unseen, page.output_token_variance, page.output_token_max),
        'cost_usd', json_build_array(page.cost_usd - page.cost_unseen_usd,
            page.cost_unseen_usd, page.cost_variance, page.cost_max_usd)
    ) end as estimated,
    told.is_exact as interval_reliable
