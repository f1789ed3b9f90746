-- How many values were flagged and how many periods began, by metric and severity?
-- Leans on the roll-up's indexes of runs and experiments, else on that of its time. Hours that a period
-- of time cuts are counted whole.
select
    metric,
    severity,
    sum(flag_count)::bigint as flag_count,
    sum(period_count)::bigint as period_count,
    max(score_max) as score_max
from crucible.anomaly_rollup_1h
where label = %(label)s
  and (%(run)s::text is null or run_id = %(run)s)
  and (%(experiment)s::text is null or experiment_id = %(experiment)s)
  and (%(from_time)s::timestamptz is null or time > %(from_time)s::timestamptz - interval '1 hour')
  and (%(to_time)s::timestamptz is null or time < %(to_time)s)
group by metric, severity
order by metric, severity
