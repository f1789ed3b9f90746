-- Which numbers did a run measure under one name?
-- Leans on series_run_id, then for each series (one a rank and event) on points_series; included where
-- all of them are looked at.
    from crucible.series s
    cross join lateral (
        select *
        from crucible.points
        where points.series_id = s.series_id
          and (%(from_time)s::timestamptz is null or time >= %(from_time)s)
          and (%(to_time)s::timestamptz is null or time < %(to_time)s)
          and (%(from_step)s::bigint is null or step >= %(from_step)s)
          and (%(to_step)s::bigint is null or step < %(to_step)s)
        offset 0  -- else all points of all series are read and joined
    ) p
    where s.run_id = %(run)s
      and s.metric = %(metric)s
      and (%(event)s::text is null or s.event_name = %(event)s)
      and (%(rank)s::bigint is null or s.rank = %(rank)s)
