-- What has happened to periods of anomalies since an entry of the feed, in order?
-- Leans on the primary key.
select feed_id, kind, body
from crucible.anomaly_feed
where feed_id > %(after)s
order by feed_id
limit %(limit)s
