-- Which spans does a period have, the earliest first, with what sampling and its estimates look at?
-- Leans on spans_time. In the order of that index rows come as they are read; nothing is sorted.
select
    (extract(epoch from s.time) * 1000000)::bigint * 1000 + s.time_ns_rest as start_ns,
    s.duration_ns,
    uuid_send(s.trace_id) as trace_id,
    0::bigint as row_hash,
    s.trace_state,
    s.sample_probability,
    s.sample_threshold,
    s.event_name,
    s.experiment_id,
    s.run_id,
    r.service_name,
    s.condition,
    s.model,
    greatest(least(s.status_code, 2::smallint), 0::smallint) as status_code,
    s.input_tokens,
    s.output_tokens,
    s.cost_usd,
    pg_column_size(s.*) as row_bytes,
-- include simulated_attributes
from crucible.spans s
left join crucible.resources r on r.resource_id = s.resource_id
where s.time >= %(from_time)s
  and s.time < %(to_time)s
-- include simulated_experiment
order by s.time
