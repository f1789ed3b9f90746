-- What is known of an experiment, merged so that the order of windows does not matter.
-- Primary key; the caller sorts by experiment_id.
-- What its start and stop tell is taken from the newest by their own time (status_at) that tells it:
-- an experiment that is taken up again runs again. Of two at one time the end wins. What somebody said of it
-- over REST (described_at) stands against what it told of itself before.
insert into crucible.experiments as known (
  experiment_id, name, hypothesis, status, status_at, tags, owner, experiment_type, metadata,
  pause_count, pause_reason, is_aborted, abort_reason, active_duration_ns, paused_duration_ns,
  first_seen, last_seen
)
values (
  %(experiment_id)s, %(name)s, %(hypothesis)s, coalesce(%(status)s, 'running'), %(status_at)s,
  %(tags)s, %(owner)s, %(experiment_type)s, %(metadata)s::jsonb, %(pause_count)s, %(pause_reason)s,
  %(is_aborted)s, %(abort_reason)s, %(active_duration_ns)s, %(paused_duration_ns)s, %(first_seen)s,
  %(last_seen)s
)
on conflict (experiment_id) do update set
  (
    status, status_at, name, hypothesis, tags, owner, experiment_type, metadata, pause_count,
    pause_reason, is_aborted, abort_reason, active_duration_ns, paused_duration_ns
  ) = (
    select
      case when is_newer then excluded.status else known.status end,
      greatest(known.status_at, excluded.status_at),
      coalesce(described.name, known.name, excluded.name),
      coalesce(described.hypothesis, known.hypothesis, excluded.hypothesis),
      coalesce(described.tags, known.tags, excluded.tags),
      coalesce(described.owner, known.owner, excluded.owner),
      coalesce(described.experiment_type, known.experiment_type, excluded.experiment_type),
      coalesce(described.metadata, known.metadata, excluded.metadata),
      coalesce(newest.pause_count, known.pause_count, excluded.pause_count),
      coalesce(newest.pause_reason, known.pause_reason, excluded.pause_reason),
      coalesce(newest.is_aborted, known.is_aborted, excluded.is_aborted),
      coalesce(newest.abort_reason, known.abort_reason, excluded.abort_reason),
      coalesce(newest.active_duration_ns, known.active_duration_ns, excluded.active_duration_ns),
      coalesce(newest.paused_duration_ns, known.paused_duration_ns, excluded.paused_duration_ns)
    from (
      select (excluded.status_at, excluded.status <> 'running', excluded.status)
        > (coalesce(known.status_at, '-infinity'), known.status <> 'running', known.status)
    ) as told (is_newer)
    -- All null where what is told is not the newest.
    left join lateral (select excluded.*) as newest on is_newer
    left join lateral (select excluded.*) as described
      on is_newer and (known.described_at is null or excluded.status_at > known.described_at)
  ),
  first_seen = least(known.first_seen, excluded.first_seen),
  last_seen = greatest(known.last_seen, excluded.last_seen)
