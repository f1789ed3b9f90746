-- How are these periods of anomalies now? Whole rows; what a person has said of one stays as long as it is
-- in that person's state.
-- Primary key. Whoever writes periods holds the lock of the feed, so that what was read is still so. In the
-- order given: a period that is over makes room for the next one of its series.
insert into crucible.anomaly_periods as known (
  period_id, watch_key, detector, label, series_id, metric, event_name, experiment_id, run_id, condition,
  model, rule, trace_id, span_id, started_at, first_step, first_value, last_flag_at, last_step, flag_count,
  severity, peak_score, peak_at, peak_value, peak_expected, peak_lower, peak_upper, state, state_at,
  state_reason, ended_at, updated_at
)
select
  period_id, watch_key, detector, label, series_id, metric, event_name, experiment_id, run_id, condition,
  model, rule, trace_id, span_id, started_at, first_step, first_value, last_flag_at, last_step, flag_count,
  severity, peak_score, peak_at, peak_value, peak_expected, peak_lower, peak_upper, state, now(),
  state_reason, ended_at, now()
from jsonb_array_elements(%(periods)s::jsonb) with ordinality as told (body, place)
cross join lateral jsonb_populate_record(null::crucible.anomaly_periods, body)
order by place
on conflict (period_id) do update set
  (
    started_at, last_flag_at, last_step, flag_count, severity, peak_score, peak_at, peak_value,
    peak_expected, peak_lower, peak_upper, state, ended_at, updated_at
  ) = row(
    excluded.started_at, excluded.last_flag_at, excluded.last_step, excluded.flag_count,
    excluded.severity, excluded.peak_score, excluded.peak_at, excluded.peak_value,
    excluded.peak_expected, excluded.peak_lower, excluded.peak_upper, excluded.state,
    excluded.ended_at, excluded.updated_at
  ),
  (state_at, state_by, state_reason) = (
    select
      case when is_same then known.state_at else excluded.state_at end,
      case when is_same then known.state_by end,
      case when is_same then known.state_reason else excluded.state_reason end
    from (select known.state = excluded.state) as told (is_same)
  )
