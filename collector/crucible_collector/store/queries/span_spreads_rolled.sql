-- How many spans of each length does a piece of the period have, and how sure is that, by its roll-up?
-- Leans on what span_latencies_rolled leans on.
select
    time, experiment_id, null::text as run_id, event_name, model, status_code, bucket, count, count_variance
from crucible.span_latency_1h
-- include piece
-- include span_filters
