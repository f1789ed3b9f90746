-- Which other periods did the same run have while this one lasted, or shortly before?
-- Leans on the primary key, then on anomaly_periods_run.
select
-- include anomaly_period_columns
from crucible.anomaly_periods this
join crucible.anomaly_periods p on p.run_id = this.run_id and p.label = this.label
left join crucible.series s on s.series_id = p.series_id
where this.period_id = %(period)s
  and p.period_id <> this.period_id
  and p.started_at <= coalesce(this.ended_at, 'infinity')
  and coalesce(p.ended_at, 'infinity') >= this.started_at - %(before)s
order by abs(extract(epoch from p.started_at - this.started_at)), p.period_id
limit %(limit)s
