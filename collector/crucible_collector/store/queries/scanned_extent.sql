-- How many series are scanned, and between which times may their events lie?
-- Leans on what scanned_series does, and on the primary key of runs or runs_experiment_id.
select
    (
        select count(*)
        from crucible.series s
        where s.kind in ('measurement', 'gauge', 'sum')
          and (%(series)s::bigint is null or s.series_id = %(series)s)
          and (%(run)s::text is null or s.run_id = %(run)s)
          and (
              %(experiment)s::text is null
              or s.experiment_id = %(experiment)s
              or s.run_id in (select run_id from crucible.runs where experiment_id = %(experiment)s)
          )
          and (%(metric)s::text is null or s.metric = %(metric)s)
          and (%(event)s::text is null or s.event_name = %(event)s)
          and (%(rank)s::bigint is null or s.rank = %(rank)s)
    ) as series_count,
    (extract(epoch from greatest(min(u.first_seen), %(from_time)s::timestamptz)) * 1000000)::bigint * 1000
        as first_ns,
    (extract(epoch from least(max(u.last_seen), %(to_time)s::timestamptz)) * 1000000)::bigint * 1000
        as last_ns
from crucible.runs u
where (%(run)s::text is not null or %(experiment)s::text is not null)
  and (%(run)s::text is null or u.run_id = %(run)s)
  and (%(experiment)s::text is null or u.experiment_id = %(experiment)s)
