-- From where to where is the feed of anomalies kept?
-- Leans on the primary key, from both its ends.
select min(feed_id) as oldest, max(feed_id) as newest
from crucible.anomaly_feed
