-- Which events are scanned, the earliest first, and whose are they?
-- Leans on the index of spans by run or on spans_time: rows come in its order, nothing is sorted.
select
    (extract(epoch from s.time) * 1000000)::bigint * 1000 + s.time_ns_rest as start_ns,
    s.duration_ns,
    uuid_send(s.trace_id) as trace_id,
    s.span_id,
    s.step,
    s.epoch,
    s.sample_probability,
    coalesce(s.event_name, '') as event_name,
    coalesce(s.experiment_id, '') as experiment_id,
    coalesce(s.run_id, '') as run_id,
    coalesce(r.service_name, '') as service_name,
    coalesce(s.condition, '') as condition,
    coalesce(s.model, '') as model,
    greatest(least(s.status_code, 2::smallint), 0::smallint) as status_code,
-- include simulated_attributes
from crucible.spans s
left join crucible.resources r on r.resource_id = s.resource_id
where (%(run)s::text is null or s.run_id = %(run)s)
  and (%(event)s::text is null or s.event_name = %(event)s)
  and (%(from_time)s::timestamptz is null or s.time >= %(from_time)s)
  and (%(to_time)s::timestamptz is null or s.time < %(to_time)s)
-- include simulated_experiment
order by s.time
