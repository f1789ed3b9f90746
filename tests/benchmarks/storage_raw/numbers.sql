-- What was the mean of a series, and between which bounds did it lie, by hour? From raw rows.
-- Leans on points_series.
select
    date_trunc('hour', time) as time,
    count(*) filter (where value <> 'nan') as count,
    avg(value) filter (where value <> 'nan') as mean,
    min(value) filter (where value <> 'nan') as min,
    max(value) filter (where value <> 'nan') as max
from crucible.points
where time >= %(from)s and time < %(to)s and series_id = %(series)s
group by 1
