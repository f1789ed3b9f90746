-- Which periods of anomalies match these filters, the newest first?
-- Leans on anomaly_periods_run or anomaly_periods_experiment where one of them is given, on
-- anomaly_periods_unresolved where only states are that are not resolved, else on anomaly_periods_started.
select
-- include anomaly_period_columns
from (
    select *
    from crucible.anomaly_periods
    where label = %(label)s
      and (%(state)s::text is null or state = %(state)s)
      and (not %(is_open)s or state <> 'resolved')
      and (%(series)s::bigint is null or series_id = %(series)s)
      and (%(run)s::text is null or run_id = %(run)s)
      and (%(experiment)s::text is null or experiment_id = %(experiment)s)
      and (%(condition)s::text is null or condition = %(condition)s)
      and (%(event)s::text is null or event_name = %(event)s)
      and (%(metric)s::text is null or metric = %(metric)s)
      and (%(model)s::text is null or model = %(model)s)
      and (%(detector)s::text is null or detector = %(detector)s)
      and (%(severities)s::text[] is null or severity = any(%(severities)s))
      -- Those that lie in the period of time, whole or in part.
      and (%(from_time)s::timestamptz is null or coalesce(ended_at, 'infinity') >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or started_at < %(to_time)s)
      and (
          %(last_time)s::timestamptz is null
          or (
              started_at <= %(last_time)s
              and (started_at, period_id) <= (%(last_time)s, %(last_period)s::uuid)
          )
      )
    order by started_at desc, period_id desc
    limit %(limit)s offset %(skip)s
) p
left join crucible.series s on s.series_id = p.series_id
order by p.started_at desc, p.period_id desc
