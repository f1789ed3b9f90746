-- Which distributions does one series have, oldest first?
-- Leans on histograms_series.
select
-- include histogram_columns
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
