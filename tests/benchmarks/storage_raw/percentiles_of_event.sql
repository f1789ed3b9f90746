-- How long did one kind of event take, by hour? From raw rows, for comparison with the roll-ups.
-- Leans on spans_event and spans_time, or reads all of the days asked for.
select
    date_trunc('hour', time) as time,
    count(*) as count,
    percentile_disc(0.5) within group (order by duration_ns) / 1e6::float8 as p50_ms,
    percentile_disc(0.95) within group (order by duration_ns) / 1e6::float8 as p95_ms,
    percentile_disc(0.99) within group (order by duration_ns) / 1e6::float8 as p99_ms
from crucible.spans
where time >= %(from)s and time < %(to)s and event_name = %(event)s
group by 1
