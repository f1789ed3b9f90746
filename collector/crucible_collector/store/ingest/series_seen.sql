-- When were these series last seen? Written at most once a minute a series.
-- Primary key, in series_id order; rows that went away meanwhile stay away.
update crucible.series as known
set last_seen = greatest(known.last_seen, seen.last_seen)
from (
  select locked.series_id, new.last_seen
  from unnest(%(series_ids)s::bigint[], %(last_seen)s::timestamptz[]) as new (series_id, last_seen)
  join crucible.series as locked using (series_id)
  order by locked.series_id
  for update of locked
) as seen
where known.series_id = seen.series_id
