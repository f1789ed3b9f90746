-- What is wrong with an experiment, its runs included, and not over?
-- Leans on the primary key and on anomaly_periods_experiment.
select
    e.experiment_id,
    crucible.rfc3339(now(), 0::smallint) as checked_at,
    coalesce(p.periods, '[]') as periods
from crucible.experiments e
cross join lateral (
    select json_agg(opened order by opened.started_at, opened.period_id) as periods
    from (
        select
-- include anomaly_period_columns
        from crucible.anomaly_periods p
        left join crucible.series s on s.series_id = p.series_id
        where p.experiment_id = e.experiment_id and p.state <> 'resolved' and p.label = ''
        order by p.started_at desc
        limit %(limit)s
    ) opened
) p
where e.experiment_id = %(experiment)s
