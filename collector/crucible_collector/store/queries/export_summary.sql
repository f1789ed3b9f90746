-- How did each run come out: what it measured, what it took, what it cost?
-- Leans on runs_experiment_id or runs_first_seen for runs, and for each on series_run_id and the roll-ups of
-- days, by series and by run. Sampled events count for as many as they stand for.
select
-- include export_run_columns
    , coalesce(spent.event_count, 0) as event_count,
    coalesce(spent.error_count, 0) as error_count,
    coalesce(spent.input_tokens, 0) as input_tokens,
    coalesce(spent.output_tokens, 0) as output_tokens,
    coalesce(spent.cost_usd, 0) as cost_usd,
    coalesce(watched.anomaly_period_count, 0) as anomaly_period_count,
    coalesce(measured.metrics, '{}') as metrics
-- include export_run_rows
left join lateral (
    select
        sum(count) as event_count,
        sum(error_count) as error_count,
        sum(input_token_sum) as input_tokens,
        sum(output_token_sum) as output_tokens,
        sum(cost_sum_usd) as cost_usd
    from crucible.span_rollup_1d
    where span_rollup_1d.run_id = r.run_id
) spent on true
left join lateral (
    select count(*) as anomaly_period_count
    from crucible.anomaly_periods
    where anomaly_periods.run_id = r.run_id and label = ''
) watched on true
left join lateral (
    select jsonb_object_agg(metric, numbers) as metrics
    from (
        select
            s.metric,
            jsonb_build_object(
                'final', (array_agg(p.last order by p.last_time desc nulls last))[1],
                'min', min(p.min),
                'max', max(p.max),
                'mean', sum(p.sum) / nullif(sum(p.count), 0)::float8,
                'count', sum(p.count),
                'non_finite_count', sum(p.non_finite_count)
            ) as numbers
        from crucible.series s
        join crucible.point_rollup_1d p on p.series_id = s.series_id
        where s.run_id = r.run_id
        group by s.metric
    ) by_metric
) measured on true
-- include export_run_choice
