-- Which lines of one metric do these runs draw?
-- Leans on series_run_id. A line is a series: of one run, event and rank. `run_ids` in the order in which they
-- were asked for.
select
    lpad(to_hex(s.series_id), 16, '0') as series_id,
    s.run_id,
    s.event_name,
    s.rank,
    s.unit,
    (extract(epoch from coalesce(u.started_at, u.first_seen, s.first_seen)) * 1000000)::bigint as start_us
from crucible.series s
left join crucible.runs u on u.run_id = s.run_id
where s.run_id = any(%(runs)s::text[])
  and s.metric = %(metric)s
  and s.kind in ('measurement', 'gauge', 'sum')
  and (%(event)s::text is null or s.event_name = %(event)s)
  and (%(rank)s::bigint is null or s.rank = %(rank)s)
order by array_position(%(runs)s::text[], s.run_id), s.event_name, s.rank, s.series_id
limit %(lines)s
