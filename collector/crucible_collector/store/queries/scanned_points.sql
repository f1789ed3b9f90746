-- Which numbers do these series have, series by series, each from its oldest number on?
-- Leans on points_series. No order by of the whole: that would sort all of it. The series come as they are
-- given, since a row of each is needed before its numbers can be looked for.
select
    wanted.place,
    p.time_ns,
    p.step,
    p.value,
    p.start_ns
from unnest(%(series)s::bigint[]) with ordinality as wanted (series_id, place)
cross join lateral (
    select
        (extract(epoch from points.time) * 1000000)::bigint * 1000 + points.time_ns_rest as time_ns,
        points.step,
        points.value,
        coalesce((extract(epoch from points.start_time) * 1000000)::bigint * 1000, 0) as start_ns
    from crucible.points
    where points.series_id = wanted.series_id
      and points.value is not null
      and (%(from_time)s::timestamptz is null or points.time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or points.time < %(to_time)s)
    order by points.time, points.time_ns_rest, points.step
) p
