-- What has happened to these periods? Writes it to the feed, with each as it is now and its newest flag.
-- Leans on the primary keys of periods and of series; whoever writes here holds the lock of the feed.
insert into crucible.anomaly_feed (period_id, kind, body)
select
    (told.body ->> 'period_id')::uuid,
    told.body ->> 'kind',
    to_jsonb(period) || jsonb_build_object('flag', case when told.body ? 'flag' then to_jsonb(flag) end)
from jsonb_array_elements(%(news)s::jsonb) with ordinality as told (body, place)
cross join lateral (
    select
-- include anomaly_period_columns
    from crucible.anomaly_periods p
    left join crucible.series s on s.series_id = p.series_id
    where p.period_id = (told.body ->> 'period_id')::uuid
) period
cross join lateral (
    select
-- include anomaly_columns
    from jsonb_populate_record(null::crucible.anomalies, told.body -> 'flag') a
) flag
order by told.place
