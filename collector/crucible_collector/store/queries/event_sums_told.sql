-- Which of a group's numbers (page) are given more than once?
-- No index: included in the aggregates of events, behind what they select from.
cross join lateral (
    select
        page.probability_min >= 1 as is_exact,
        -- Others of which no row is left may have been dropped, as the sampling ledger knows; and variances
        -- may be of what lies beside the period.
        page.count_variance > 0 or exists (select from crucible.sampling_settings) as may_be_thinned,
        crucible.significant(page.count) as count,
        crucible.significant(page.error_count) as error_count,
        crucible.significant(page.error_count / page.count) as error_rate,
        crucible.significant(page.duration_sum_ns / 1e6::float8) as duration_total_ms,
        crucible.significant(page.duration_sum_ns / page.count / 1e6::float8) as duration_mean_ms,
        crucible.significant(page.input_tokens) as input_tokens,
        crucible.significant(page.output_tokens) as output_tokens,
        crucible.significant(page.cost_usd) as cost_usd
    -- Without this the planner would put each of these in every place that it is asked for.
    offset 0
) told
