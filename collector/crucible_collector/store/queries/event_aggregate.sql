-- How many events, how long, how dear, by time and by what is grouped by?
-- Leans on the roll-ups of spans; raw rows answer less than a minute at either end of the period.
-- include event_sums
select
-- include event_sums_columns
    ,
    null::float8 as p50_ms,
    null::json as p50_ms_interval,
    null::float8 as p90_ms,
    null::json as p90_ms_interval,
    null::float8 as p95_ms,
    null::json as p95_ms_interval,
    null::float8 as p99_ms,
    null::json as p99_ms_interval,
    null::float8 as p99_9_ms,
    null::json as p99_9_ms_interval
from page
-- include event_sums_told
order by key
