-- How is a distribution given to a reader?
-- No index: included in the queries of histograms.
    crucible.rfc3339(time, time_ns_rest) as time,
    crucible.rfc3339(start_time, 0::smallint) as start_time,
    count,
    sum,
    min,
    max,
    coalesce(bounds, '{}') as bounds,
    coalesce(counts, '{}') as counts,
    scale,
    zero_count,
    zero_threshold,
    positive_offset,
    negative_offset,
    coalesce(negative_counts, '{}') as negative_counts,
    coalesce(quantile_values, '{}') as quantile_values,
    coalesce(flags, 0) as flags,
    coalesce(exemplars, '[]') as exemplars
