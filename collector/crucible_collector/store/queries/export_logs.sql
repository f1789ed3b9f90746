-- Which log records are there, as they are exported?
-- Leans on logs_run or logs_experiment where one of them is given, else on logs_time.
select
    s.time,
    s.time_ns_rest,
    s.observed_time,
    s.severity_number,
    s.severity_text,
    s.body,
    s.event_name,
    s.original_event_name,
    s.trace_id,
    s.span_id,
    coalesce(s.experiment_id, u.experiment_id) as experiment_id,
    s.run_id,
    coalesce(s.condition, u.condition) as condition,
    coalesce(s.correlation_id, encode(uuid_send(s.trace_id), 'hex')) as correlation_id,
    s.step,
    s.epoch,
    r.service_name,
    c.name as scope_name,
    c.version as scope_version,
    s.attributes,
    r.attributes as resource_attributes,
    coalesce(s.flags, 0) as flags,
    coalesce(s.dropped_attributes_count, 0) as dropped_attributes_count,
    s.sample_probability,
    1 / s.sample_probability as weight,
    coalesce(nullif(rtrim(lpad(to_hex(s.sample_threshold), 14, '0'), '0'), ''),
        case when s.sample_threshold = 0 then '0' end) as sample_threshold,
    (72057594037927936 - s.upstream_threshold) / 72057594037927936::float8 as upstream_probability,
    s.keep_reason
from crucible.logs s
left join crucible.runs u on u.run_id = s.run_id
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
where true
-- include export_run_filters
  and (%(event)s::text is null or s.event_name = %(event)s)
  and (%(severity)s::smallint is null or s.severity_number >= %(severity)s)
