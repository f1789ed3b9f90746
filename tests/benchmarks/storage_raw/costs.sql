-- What did each model cost, by day? From raw rows.
-- Leans on spans_time, or reads all of the days asked for.
select
    date_trunc('day', time) as time,
    model,
    count(*) as count,
    coalesce(sum(cost_usd), 0) as cost_usd
from crucible.spans
where time >= %(from)s and time < %(to)s
group by 1, 2
