-- Which runs are compared, and on what may they be paired?
-- Leans on runs_experiment_id or the primary key; a seed that is not in the configuration is looked up in
-- the markers of the training's start, by spans_event.
select
    r.run_id,
    r.experiment_id,
    r.condition,
    r.kind,
    r.status,
    r.last_step,
    extract(epoch from r.ended_at - r.started_at)::float8 * 1e3::float8 as duration_ms,
    coalesce(
        r.config #>> %(path)s::text[],
        case when %(wants_seed)s::boolean then (
            select s.attributes ->> 'crucible.training.seed'
            from crucible.spans s
            where s.event_name in ('crucible_train.training.start', 'crucible_train.training.stop')
              and s.time between r.first_seen and r.first_seen + interval '1 minute'
              and s.run_id = r.run_id
              and s.attributes ? 'crucible.training.seed'
            limit 1
        ) end
    ) as pair_id
from crucible.runs r
where (%(runs)s::text[] is null or r.run_id = any(%(runs)s))
  and (%(experiments)s::text[] is null or r.experiment_id = any(%(experiments)s))
  and (%(conditions)s::text[] is null or r.condition = any(%(conditions)s))
  and (%(from_time)s::timestamptz is null or r.first_seen >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or r.first_seen < %(to_time)s)
order by r.first_seen, r.run_id
limit %(limit)s
