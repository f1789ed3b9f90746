-- How many spans of each length does a piece of the period have that no roll-up answers?
-- Leans on spans_run where a run is given, else on spans_time. Lengths are those of the buckets of
-- span_latency, so that percentiles mean the same wherever they come from.
select
    time, experiment_id, run_id, event_name, model, status_code,
    crucible.duration_bucket(duration_ns) as bucket,
    1 / sample_probability as count
from crucible.spans
-- include piece
-- include span_run_filters
-- include span_filters
