-- Which distribution of a series was the last before a time?
-- Leans on histograms_series.
select
-- include histogram_columns
from crucible.histograms h
where h.series_id = %(series)s
  and h.time < %(from_time)s
order by h.time desc, h.time_ns_rest desc, h.count desc
limit 1
