-- Which values were flagged, as they are exported? What scans have found has their label.
-- Leans on anomalies_run or anomalies_experiment where one of them is given, else on anomalies_time.
select
    s.time,
    s.time_ns_rest,
    s.severity,
    s.metric,
    s.event_name,
    s.experiment_id,
    s.run_id,
    s.condition,
    s.model,
    s.detector,
    s.label,
    s.step,
    s.value,
    s.expected,
    s.lower,
    s.upper,
    s.score,
    s.starts_period,
    s.period_id::text as period_id,
    s.watch_key as watch_id,
    s.series_id,
    s.trace_id,
    s.span_id
from crucible.anomalies s
where (%(run)s::text is null or s.run_id = %(run)s)
  and (%(experiment)s::text is null or s.experiment_id = %(experiment)s)
  and (%(condition)s::text is null or s.condition = %(condition)s)
  and (%(event)s::text is null or s.event_name = %(event)s)
  and (%(metric)s::text is null or s.metric = %(metric)s)
  and (%(model)s::text is null or s.model = %(model)s)
  and (%(from_time)s::timestamptz is null or s.time >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or s.time < %(to_time)s)
