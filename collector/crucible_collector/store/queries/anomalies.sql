-- Which values were flagged, of those that match these filters, the newest first?
-- Leans on anomalies_period, anomalies_series, anomalies_run or anomalies_experiment where one of them is
-- given, else on anomalies_time: each gives them in order, so that a page costs a page.
select
-- include anomaly_columns
from crucible.anomalies a
where a.label = %(label)s
  and (%(period)s::uuid is null or a.period_id = %(period)s)
  and (%(series)s::bigint is null or a.series_id = %(series)s)
  and (%(run)s::text is null or a.run_id = %(run)s)
  and (%(experiment)s::text is null or a.experiment_id = %(experiment)s)
  and (%(condition)s::text is null or a.condition = %(condition)s)
  and (%(event)s::text is null or a.event_name = %(event)s)
  and (%(metric)s::text is null or a.metric = %(metric)s)
  and (%(model)s::text is null or a.model = %(model)s)
  and (%(detector)s::text is null or a.detector = %(detector)s)
  and (%(severities)s::text[] is null or a.severity = any(%(severities)s))
  and (%(from_time)s::timestamptz is null or a.time >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or a.time < %(to_time)s)
  and (
      %(last_time)s::timestamptz is null
      or (
          a.time <= %(last_time)s
          and (a.time, a.time_ns_rest, a.period_id) <= (%(last_time)s, %(last_rest)s, %(last_period)s::uuid)
      )
  )
order by a.time desc, a.time_ns_rest desc, a.period_id desc, a.step desc, a.value desc
limit %(limit)s offset %(skip)s
