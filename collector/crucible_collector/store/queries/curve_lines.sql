-- Which lines of one metric do these runs draw, and how many points has each?
-- Leans on series_run_id, then on points_series. A line is a series: of one run, event and rank. Over steps a
-- point without one has no place. `run_ids` in the order in which they were asked for.
select
    lpad(to_hex(s.series_id), 16, '0') as series_id,
    s.run_id,
    s.event_name,
    s.rank,
    s.unit,
    coalesce(p.point_count, 0) as point_count,
    coalesce(p.non_finite_count, 0) as non_finite_count
from (
    select
        *,
        array_position(%(runs)s::text[], run_id) as place
    from crucible.series
    where run_id = any(%(runs)s::text[])
      and metric = %(metric)s
      and kind in ('measurement', 'gauge', 'sum')
      and (%(event)s::text is null or event_name = %(event)s)
      and (%(rank)s::bigint is null or rank = %(rank)s)
    order by place, event_name, rank, series_id
    limit %(lines)s
) s
cross join lateral (
    select
        count(*) as point_count,
        count(*) filter (where value is null or value in ('nan', 'infinity', '-infinity')) as non_finite_count
    from crucible.points
    where points.series_id = s.series_id
-- include curve_range
) p
order by s.place, s.event_name, s.rank, s.series_id
