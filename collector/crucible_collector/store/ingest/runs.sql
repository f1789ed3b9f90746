-- What is known of a run, merged so that the order of windows and collectors does not matter.
-- Primary key; the caller sorts by run_id.
insert into crucible.runs as known (
  run_id, experiment_id, condition, kind, status, model_name, model_version, dataset_name, config,
  summary, service_name, correlation_id, trace_id, resource_id, started_at, ended_at,
  first_seen, last_seen, last_step, last_epoch
)
values (
  %(run_id)s, %(experiment_id)s, %(condition)s, %(kind)s, coalesce(%(status)s, 'running'),
  %(model_name)s, %(model_version)s, %(dataset_name)s, %(config)s::jsonb,
  %(summary)s::jsonb, %(service_name)s, %(correlation_id)s, %(trace_id)s, %(resource_id)s,
  %(started_at)s, %(ended_at)s, %(first_seen)s, %(last_seen)s, %(last_step)s, %(last_epoch)s
)
on conflict (run_id) do update set
  experiment_id = coalesce(known.experiment_id, excluded.experiment_id),
  condition = coalesce(known.condition, excluded.condition),
  kind = coalesce(excluded.kind, known.kind),
  status = case
    when known.status in ('completed', 'failed', 'cancelled', 'early_stopped') then known.status
    else excluded.status
  end,
  model_name = coalesce(excluded.model_name, known.model_name),
  model_version = coalesce(excluded.model_version, known.model_version),
  dataset_name = coalesce(excluded.dataset_name, known.dataset_name),
  config = coalesce(excluded.config, known.config),
  summary = coalesce(excluded.summary, known.summary),
  service_name = coalesce(known.service_name, excluded.service_name),
  correlation_id = coalesce(known.correlation_id, excluded.correlation_id),
  trace_id = coalesce(excluded.trace_id, known.trace_id),
  resource_id = coalesce(known.resource_id, excluded.resource_id),
  started_at = least(known.started_at, excluded.started_at),
  ended_at = greatest(known.ended_at, excluded.ended_at),
  first_seen = least(known.first_seen, excluded.first_seen),
  last_seen = greatest(known.last_seen, excluded.last_seen),
  last_step = greatest(known.last_step, excluded.last_step),
  last_epoch = greatest(known.last_epoch, excluded.last_epoch)
