-- How much, how often, how long, what did it cost: what people who bring SQL or Grafana ask of hours, weeks
-- and months. From roll-ups alone, so that answers come at once and outlive raw rows; sampled rows weighted.
-- These lean on the indexes of the roll-ups; a condition on time, a run, an experiment or an event reaches
-- those. `create or replace` adds columns at the end and keeps whatever others have built on a view.

create or replace view crucible.llm_cost as
select
    time as day,
    model,
    experiment_id,
    run_id,
    sum(usage_count) as call_count,
    coalesce(sum(usage_count) filter (where status_code = 2), 0) as error_count,
    -- 0 where some told 0, null where none told anything.
    sum(input_token_sum) filter (where input_token_max is not null) as input_tokens,
    sum(output_token_sum) filter (where output_token_max is not null) as output_tokens,
    sum(cost_sum_usd) filter (where cost_max_usd is not null) as cost_usd,
    sqrt(coalesce(sum(cost_trace_variance), 0)) as cost_usd_standard_error
from crucible.span_rollup_1d
where usage_count > 0
group by time, model, experiment_id, run_id;

comment on view crucible.llm_cost is
    'Calls of models that cost tokens or money, by day (UTC), model, experiment and run; weighted where sampled';

create or replace view crucible.event_rate as
select
    time,
    event_name,
    experiment_id,
    run_id,
    sum(count) as count,
    sum(error_count) as error_count,
    sum(error_count) / sum(count) as error_rate,
    sum(duration_sum_ns) / sum(count) / 1e6::float8 as duration_mean_ms,
    max(duration_max_ns) / 1e6::float8 as duration_max_ms,
    sum(input_token_sum) as input_tokens,
    sum(output_token_sum) as output_tokens,
    sum(cost_sum_usd) as cost_usd,
    sqrt(coalesce(sum(count_variance), 0)) as count_standard_error,
    sqrt(coalesce(sum(error_variance), 0)) as error_count_standard_error
from crucible.span_rollup_1h
group by time, event_name, experiment_id, run_id;

comment on view crucible.event_rate is
    'Spans and events by hour (UTC), event, experiment and run, weighted where sampled: ask for a time';

create or replace view crucible.latency_percentiles as
select
    time,
    event_name,
    model,
    experiment_id,
    percentiles_ns[1] / 1e6::float8 as p50_ms,
    percentiles_ns[2] / 1e6::float8 as p90_ms,
    percentiles_ns[3] / 1e6::float8 as p95_ms,
    percentiles_ns[4] / 1e6::float8 as p99_ms,
    percentiles_ns[5] / 1e6::float8 as p99_9_ms,
    count
from (
    select
        time,
        event_name,
        model,
        experiment_id,
        crucible.duration_percentiles(
            array[0.5, 0.9, 0.95, 0.99, 0.999], array_agg(bucket), array_agg(count)
        ) as percentiles_ns,
        sum(count) as count
    from crucible.span_latency_1h
    group by time, event_name, model, experiment_id
) hours;

comment on view crucible.latency_percentiles is
    'How long spans took, within 1 %, by hour (UTC), event, model and experiment: ask for a time and an '
    'event. Percentiles of several rows together are crucible.duration_percentiles of span_latency_1h';

-- Grouped once more, because PostgreSQL hands a join's condition on to a lateral query that is grouped,
-- and with it into the roll-up, but not into a roll-up that is joined as it is. Each group is one row.
create or replace view crucible.metric_by_minute as
select
    s.run_id,
    s.experiment_id,
    s.metric,
    s.rank,
    p.time,
    p.sum / nullif(p.count, 0) as mean,
    p.min,
    p.max,
    p.last,
    p.count,
    p.non_finite_count,
    s.unit,
    s.event_name
from crucible.series s
cross join lateral (
    select
        time,
        max(sum) as sum,
        max(min) as min,
        max(max) as max,
        max(last) as last,
        max(count) as count,
        max(non_finite_count) as non_finite_count
    from crucible.point_rollup_1m
    where point_rollup_1m.series_id = s.series_id
    group by time
) p;

comment on view crucible.metric_by_minute is
    'Numbers by minute (UTC) and series, over finite values: ask for a run_id, a metric and a time';

create or replace view crucible.anomaly_summary as
select
    time,
    experiment_id,
    run_id,
    metric,
    label,
    sum(flag_count)::bigint as flag_count,
    sum(period_count)::bigint as period_count,
    coalesce(sum(flag_count) filter (where severity = 'critical'), 0)::bigint as critical_count,
    coalesce(sum(flag_count) filter (where severity = 'warning'), 0)::bigint as warning_count,
    coalesce(sum(flag_count) filter (where severity = 'info'), 0)::bigint as info_count,
    max(score_max) as score_max
from crucible.anomaly_rollup_1h
group by time, experiment_id, run_id, metric, label;

comment on view crucible.anomaly_summary is
    'Anomalies by hour (UTC), experiment, run and metric: ask for a time, and an empty label for the stream''s';

do $$
declare
    each record;
begin
    for each in
        select relname, attname, meaning
        from (values
            ('call_count', 'Calls, estimated where sampled'),
            ('cost_usd', 'US dollars, estimated where sampled'),
            ('cost_usd_standard_error', 'That sampling makes in cost_usd; 0 where nothing was sampled'),
            ('count_standard_error', 'That sampling makes in count; 0 where nothing was sampled'),
            ('critical_count', 'Of the flags, those of severity critical'),
            ('day', 'Midnight (UTC) at which the day begins'),
            ('duration_max_ms', 'The longest that was kept, milliseconds'),
            ('duration_mean_ms', 'From start to end, milliseconds, estimated where sampled'),
            ('error_count', 'Of these, those that failed'),
            ('error_count_standard_error', 'That sampling makes in error_count; 0 where nothing was sampled'),
            ('error_rate', 'Share that failed, 0 to 1'),
            ('event_name', 'The event, such as crucible_train.epoch.stop; of a span that is none, its name'),
            ('experiment_id', 'The experiment''s key; null: of none'),
            ('flag_count', 'Values that were flagged'),
            ('info_count', 'Of the flags, those of severity info'),
            ('input_tokens', 'Tokens sent to the model, estimated where sampled'),
            ('label', 'Empty: found in the stream; else the label of a scan'),
            ('last', 'Latest value'),
            ('max', 'Largest value'),
            ('mean', 'Mean of the values; null where none is finite'),
            ('metric', 'The number''s name, such as loss'),
            ('min', 'Least value'),
            ('model', 'The model that was asked or that answered; null where none was'),
            ('non_finite_count', 'NaN, infinities and what is beyond 1e100 either way'),
            ('output_tokens', 'Tokens that the model gave, estimated where sampled'),
            ('p50_ms', 'Half took no longer, milliseconds'),
            ('p90_ms', '90 % took no longer, milliseconds'),
            ('p95_ms', '95 % took no longer, milliseconds'),
            ('p99_ms', '99 % took no longer, milliseconds'),
            ('p99_9_ms', '99.9 % took no longer, milliseconds'),
            ('period_count', 'Periods of anomalies that began'),
            ('rank', 'Rank of the process in a distributed training; null: not said'),
            ('run_id', 'The run''s key; null: of none'),
            ('score_max', 'Largest score; above 1 is anomalous'),
            ('time', 'Start of the hour or minute, UTC'),
            ('unit', 'As the sender gave it; null: none'),
            ('warning_count', 'Of the flags, those of severity warning')
        ) as told (column_name, meaning)
        join pg_attribute on attname = told.column_name and not attisdropped
        join pg_class on pg_class.oid = attrelid
        where relnamespace = 'crucible'::regnamespace and relkind = 'v'
          and relname in ('llm_cost', 'event_rate', 'latency_percentiles', 'metric_by_minute',
                          'anomaly_summary')
        order by relname, attnum
    loop
        execute format('comment on column crucible.%I.%I is %L', each.relname, each.attname, each.meaning);
    end loop;
end
$$;

comment on column crucible.event_rate.count is 'Spans and events, estimated where sampled';
comment on column crucible.latency_percentiles.count is 'Spans and events, estimated where sampled';
comment on column crucible.metric_by_minute.count is 'Finite values';
