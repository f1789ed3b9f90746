-- What is known of an experiment, merged so that the order of windows does not matter.
-- Primary key; the caller sorts by experiment_id.
insert into crucible.experiments as known (
  experiment_id, name, hypothesis, status, tags, first_seen, last_seen
)
values (
  %(experiment_id)s, %(name)s, %(hypothesis)s, coalesce(%(status)s, 'running'), %(tags)s,
  %(first_seen)s, %(last_seen)s
)
on conflict (experiment_id) do update set
  name = coalesce(excluded.name, known.name),
  hypothesis = coalesce(excluded.hypothesis, known.hypothesis),
  status = case when known.status in ('stopped', 'archived') and %(status)s is distinct from 'running'
    then known.status else coalesce(%(status)s, known.status) end,
  tags = coalesce(excluded.tags, known.tags),
  first_seen = least(known.first_seen, excluded.first_seen),
  last_seen = greatest(known.last_seen, excluded.last_seen)
