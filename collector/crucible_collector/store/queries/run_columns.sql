-- How is a run (r) given to a reader?
-- Leans on anomaly_periods_run; included in the queries of runs.
    r.run_id,
    r.experiment_id,
    r.condition,
    r.parent_run_id,
    r.kind,
    r.status,
    r.model_name,
    r.model_version,
    r.dataset_name,
    coalesce(r.config, '{}') as config,
    coalesce(r.summary, '{}') as summary,
    r.service_name,
    coalesce(r.correlation_id, replace(r.trace_id::text, '-', '')) as correlation_id,
    replace(r.trace_id::text, '-', '') as trace_id,
    crucible.rfc3339(r.started_at, 0::smallint) as started_at,
    crucible.rfc3339(r.ended_at, 0::smallint) as ended_at,
    extract(epoch from r.ended_at - r.started_at)::float8 * 1e3::float8 as duration_ms,
    crucible.rfc3339(r.first_seen, 0::smallint) as first_seen,
    crucible.rfc3339(r.last_seen, 0::smallint) as last_seen,
    crucible.rfc3339(r.last_received_at, 0::smallint) as last_received_at,
    crucible.rfc3339(r.stalled_at, 0::smallint) as stalled_at,
    r.heartbeat_interval_s,
    r.last_step,
    r.last_epoch,
    (
        select (array['info', 'warning', 'critical'])[max(array_position(array['info', 'warning', 'critical'], p.severity))]
        from crucible.anomaly_periods p
        where p.run_id = r.run_id and p.state = 'active' and p.label = ''
    ) as anomaly_severity
