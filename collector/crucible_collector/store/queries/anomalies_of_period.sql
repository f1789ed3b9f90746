-- Which values make a period of anomalies, the newest first?
-- Leans on anomalies_period.
select
-- include anomaly_columns
from crucible.anomalies a
where a.period_id = %(period)s
order by a.time desc, a.time_ns_rest desc, a.step desc, a.value desc
limit %(limit)s
