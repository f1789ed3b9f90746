-- What is known of one period of anomalies?
-- Leans on the primary key.
select
-- include anomaly_period_columns
from crucible.anomaly_periods p
left join crucible.series s on s.series_id = p.series_id
where p.period_id = %(period)s
