-- How many spans of each length does a piece of the period have, by its roll-up?
-- Leans on the indexes of span_latency by experiment or event, else on the one by time. The level is that
-- of the piece. It knows no runs: raw rows answer about them.
select time, experiment_id, null::text as run_id, event_name, model, status_code, bucket, count
from crucible.span_latency_1h
-- include piece
-- include span_filters
