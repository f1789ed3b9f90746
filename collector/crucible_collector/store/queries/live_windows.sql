-- Which transactions has a reader not seen that saw the snapshot `seen`, and went on to `done`, of those that
-- the snapshot `until` sees, and of what is wanted? Leans on the primary key.
select
    window_xid::text::bigint as window_xid,
    row_count,
    is_exact,
    coalesce(lower(times) < %(packed_before)s::timestamptz, false) as is_partly_old
from crucible.live_windows
where window_xid >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
  and window_xid > %(done)s::text::xid8
  and not pg_visible_in_snapshot(window_xid, %(seen)s::pg_snapshot)
  and pg_visible_in_snapshot(window_xid, %(until)s::pg_snapshot)
  and written_at > now() - interval '15 minutes'
  and (
      %(runs)s::text[] is null
      or spans_of is null or points_of is null or changed is null
      or spans_of && %(runs)s or changed && %(runs)s or spans_of_experiments && %(experiments)s
      or exists (
          select from crucible.runs
          where runs.experiment_id = any(%(experiments)s)
            and (runs.run_id = any(spans_of) or runs.run_id = any(changed)))
      or exists (
          select from crucible.series
          join crucible.runs using (run_id)
          where (runs.run_id = any(%(runs)s) or runs.experiment_id = any(%(experiments)s))
            and series.series_id = any(points_of))
  )
order by window_xid
limit %(limit)s
