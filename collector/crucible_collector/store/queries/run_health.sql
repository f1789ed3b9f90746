-- How is a run: its status, what is wrong with it and not over (or was not at its end), and is anything of it watched at all?
-- Leans on the primary key and on anomaly_periods_run; where no number of it is a point of a series, on
-- spans_run.
select
    r.run_id,
    r.status as run_status,
    crucible.rfc3339(coalesce(r.stalled_at, r.ended_at, r.last_seen), 0::smallint) as status_at,
    crucible.rfc3339(now(), 0::smallint) as checked_at,
    coalesce(
        (select settings ->> 'enabled' from crucible.detection_settings order by version desc limit 1) <> 'false',
        true
    ) and (
        p.periods is not null
        or exists (select from crucible.series s where s.run_id = r.run_id)
        or exists (
            select from crucible.spans
            where spans.run_id = r.run_id and spans.duration_ns > 0
              and spans.time between r.first_seen and r.last_seen
        )
    ) as is_watched,
    coalesce(p.periods, '[]') as periods
from crucible.runs r
cross join lateral (
    select json_agg(opened order by opened.started_at, opened.period_id) as periods
    from (
        select
-- include anomaly_period_columns
        from crucible.anomaly_periods p
        left join crucible.series s on s.series_id = p.series_id
        -- What lasted until the run ended was over by nothing else.
        where p.run_id = r.run_id and p.label = ''
          and (p.state <> 'resolved' or (p.state_by is null and p.ended_at >= r.ended_at))
        order by p.started_at desc
        limit %(limit)s
    ) opened
) p
where r.run_id = %(run)s
