-- How far have these known runs come? The common case of runs.sql, in one statement for all.
-- Primary key, in run_id order: collectors that share runs wait for each other, never deadlock.
insert into crucible.runs as known (
  run_id, status, first_seen, last_seen, last_received_at, last_step, last_epoch
)
select
  run_id, 'running',
  timestamptz 'epoch' + first_us * interval '1 microsecond',
  timestamptz 'epoch' + last_us * interval '1 microsecond',
  timestamptz 'epoch' + received_us * interval '1 microsecond',
  last_step, last_epoch
from jsonb_to_recordset(%(seen)s::jsonb) as seen (
  run_id text, first_us bigint, last_us bigint, received_us bigint, last_step bigint, last_epoch bigint
)
order by run_id collate "C"
on conflict (run_id) do update set
  (status, stalled_at) = (
    select
      case when known.status = 'pending' or is_heard_of then 'running' else known.status end,
      case when not is_heard_of then known.stalled_at end
    from (
      select known.status = 'stalled'
        and excluded.last_received_at >= coalesce(known.last_received_at, '-infinity')
    ) as told (is_heard_of)
  ),
  first_seen = least(known.first_seen, excluded.first_seen),
  last_seen = greatest(known.last_seen, excluded.last_seen),
  last_received_at = greatest(known.last_received_at, excluded.last_received_at),
  last_step = greatest(known.last_step, excluded.last_step),
  last_epoch = greatest(known.last_epoch, excluded.last_epoch)
