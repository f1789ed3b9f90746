-- What is known of an experiment, merged so that the order of windows does not matter.
-- Primary key; the caller sorts by experiment_id.
-- What its start and stop tell is taken from the newest by their own time (status_at) that tells it:
-- an experiment that is taken up again runs again. Of two at one time the end wins.
insert into crucible.experiments as known (
  experiment_id, name, hypothesis, status, status_at, tags, first_seen, last_seen
)
values (
  %(experiment_id)s, %(name)s, %(hypothesis)s, coalesce(%(status)s, 'running'), %(status_at)s,
  %(tags)s, %(first_seen)s, %(last_seen)s
)
on conflict (experiment_id) do update set
  (status, status_at, name, hypothesis, tags) = (
    select
      case when is_newer then excluded.status else known.status end,
      greatest(known.status_at, excluded.status_at),
      coalesce(case when is_newer then excluded.name end, known.name, excluded.name),
      coalesce(
        case when is_newer then excluded.hypothesis end, known.hypothesis, excluded.hypothesis
      ),
      coalesce(case when is_newer then excluded.tags end, known.tags, excluded.tags)
    from (
      select (excluded.status_at, excluded.status <> 'running', excluded.status)
        > (coalesce(known.status_at, '-infinity'), known.status <> 'running', known.status)
    ) as told (is_newer)
  ),
  first_seen = least(known.first_seen, excluded.first_seen),
  last_seen = greatest(known.last_seen, excluded.last_seen)
