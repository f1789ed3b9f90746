-- How many spans of each length does a piece of the period have that no roll-up answers, and how sure is that?
-- Leans on what span_latencies_raw leans on. The terms that spans carry are those of whole hours, on the first
-- span of each trace and length: a piece that cuts an hour, or is told by the minute, would have all of one
-- or none. So each span has a term here by how many of its trace and event there are beside it: the terms of
-- any of them add up to no less than the pairs (1/p)(1/q)(1 - max(p, q)) that they are in, since 2ab <= a² + b².
select
    time, experiment_id, run_id, event_name, model, status_code,
    crucible.duration_bucket(duration_ns) as bucket,
    1 / sample_probability as count,
    (1 - sample_probability) / (sample_probability * sample_probability) * count(*) over (
        partition by trace_id, event_name, date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00')
    ) as count_variance
from crucible.spans
-- include piece
-- include span_run_filters
-- include span_filters
