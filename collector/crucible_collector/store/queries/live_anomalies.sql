-- What has happened to periods of anomalies between two entries of the feed? Leans on the primary key.
select
    feed_id,
    body ->> 'run_id' as run_id,
    body ->> 'experiment_id' as experiment_id,
    u.experiment_id as experiment_of_run,
    body ->> 'event_name' as event_name,
    (f.body || jsonb_build_object('change', f.kind))::text as body
from crucible.anomaly_feed f
left join crucible.runs u on u.run_id = f.body ->> 'run_id'
where feed_id > %(after)s and feed_id <= %(until)s
order by feed_id
limit %(limit)s
