-- How many events of each name were there, and which share had an error? From raw rows.
-- Leans on spans_time, or reads all of the days asked for.
select
    event_name,
    count(*) as count,
    count(*) filter (where status_code = 2)::float8 / count(*) as error_rate
from crucible.spans
where time >= %(from)s and time < %(to)s
group by 1
