-- Which distributions does one series have, oldest first?
-- Leans on histograms_series.
select
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
from crucible.histograms h
where h.series_id = %(series)s
  and (%(from_time)s::timestamptz is null or h.time >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or h.time < %(to_time)s)
  and (
      %(last_time)s::timestamptz is null
      or (h.time >= %(last_time)s and (h.time, h.time_ns_rest) >= (%(last_time)s, %(last_rest)s))
  )
order by h.time, h.time_ns_rest, h.count, h.sum
limit %(limit)s offset %(skip)s
