-- What is known of a run, merged so that the order of windows and collectors does not matter.
-- Primary key; the caller sorts by run_id.
-- What its starts and ends tell is taken from the newest by their own time (status_at) that tells it:
-- a run that is resumed runs again. Of two at one time an end wins; what the newest leaves out, an
-- older one fills in, and of several the one stored first. Identity, which any record may carry, is the
-- least value that any did; but a run is the experiment's that was received first, lest a sender who may
-- write to some experiments only makes it one of these.
insert into crucible.runs as known (
  run_id, experiment_id, experiment_received_at, condition, kind, status, status_at, model_name, model_version, dataset_name,
  config, summary, service_name, correlation_id, trace_id, resource_id, parent_run_id, started_at,
  ended_at, first_seen, last_seen, last_received_at, last_step, last_epoch, heartbeat_interval_s
)
values (
  %(run_id)s, %(experiment_id)s, %(experiment_received_at)s, %(condition)s, %(kind)s, coalesce(%(status)s, 'running'),
  %(status_at)s, %(model_name)s, %(model_version)s, %(dataset_name)s, %(config)s::jsonb,
  %(summary)s::jsonb, %(service_name)s, %(correlation_id)s, %(trace_id)s, %(resource_id)s,
  %(parent_run_id)s, %(started_at)s, %(ended_at)s, %(first_seen)s, %(last_seen)s,
  %(last_received_at)s, %(last_step)s, %(last_epoch)s, %(heartbeat_interval_s)s
)
on conflict (run_id) do update set
  (
    status, stalled_at, status_at, kind, model_name, model_version, dataset_name, config, summary,
    trace_id
  ) = (
    select
      case
        when is_newer then excluded.status
        when known.status = 'pending' or is_heard_of then 'running'
        else known.status
      end,
      case when not is_newer and not is_heard_of then known.stalled_at end,
      greatest(known.status_at, excluded.status_at),
      coalesce(case when is_newer then excluded.kind end, known.kind, excluded.kind),
      coalesce(
        case when is_newer then excluded.model_name end, known.model_name, excluded.model_name
      ),
      coalesce(
        case when is_newer then excluded.model_version end, known.model_version, excluded.model_version
      ),
      coalesce(
        case when is_newer then excluded.dataset_name end, known.dataset_name, excluded.dataset_name
      ),
      coalesce(case when is_newer then excluded.config end, known.config, excluded.config),
      coalesce(case when is_newer then excluded.summary end, known.summary, excluded.summary),
      coalesce(case when is_newer then excluded.trace_id end, known.trace_id, excluded.trace_id)
    from (
      select
        (excluded.status_at, excluded.status <> 'running', excluded.status)
        > (
          coalesce(known.status_at, '-infinity'),
          known.status not in ('running', 'pending', 'stalled'),
          known.status
        ),
        -- What was received before it fell silent is no sign of life, however late it is stored.
        known.status = 'stalled'
          and excluded.last_received_at >= coalesce(known.last_received_at, '-infinity')
    ) as told (is_newer, is_heard_of)
  ),
  (experiment_id, experiment_received_at) = (
    select
      case when is_first then excluded.experiment_id else known.experiment_id end,
      case when is_first then excluded.experiment_received_at else known.experiment_received_at end
    from (
      select excluded.experiment_id is not null and (
        known.experiment_id is null
        or (excluded.experiment_received_at, excluded.experiment_id)
          < (coalesce(known.experiment_received_at, '-infinity'), known.experiment_id)
      )
    ) as told (is_first)
  ),
  condition = least(known.condition, excluded.condition),
  service_name = least(known.service_name collate "C", excluded.service_name collate "C"),
  correlation_id = least(known.correlation_id, excluded.correlation_id),
  resource_id = least(known.resource_id, excluded.resource_id),
  parent_run_id = least(known.parent_run_id, excluded.parent_run_id),
  started_at = least(known.started_at, excluded.started_at),
  ended_at = greatest(known.ended_at, excluded.ended_at),
  first_seen = least(known.first_seen, excluded.first_seen),
  last_seen = greatest(known.last_seen, excluded.last_seen),
  last_received_at = greatest(known.last_received_at, excluded.last_received_at),
  last_step = greatest(known.last_step, excluded.last_step),
  last_epoch = greatest(known.last_epoch, excluded.last_epoch),
  heartbeat_interval_s = greatest(known.heartbeat_interval_s, excluded.heartbeat_interval_s)
