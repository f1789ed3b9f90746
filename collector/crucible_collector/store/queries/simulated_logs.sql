-- Which log records does a period have, the earliest first, with what sampling looks at?
-- Leans on logs_time. In the order of that index rows come as they are read; nothing is sorted.
-- Which of them are errors is enrich.candidates' word: from severity ERROR on.
select
    (extract(epoch from s.time) * 1000000)::bigint * 1000 + s.time_ns_rest as start_ns,
    0::bigint as duration_ns,
    uuid_send(s.trace_id) as trace_id,
    case when s.trace_id is null then hash_record_extended(s, 0) else 0 end as row_hash,
    null::text as trace_state,
    s.sample_probability,
    s.sample_threshold,
    s.event_name,
    s.experiment_id,
    s.run_id,
    r.service_name,
    s.condition,
    null::text as model,
    case when s.severity_number >= 17 then 2 else 0 end::smallint as status_code,
    null::bigint as input_tokens,
    null::bigint as output_tokens,
    null::float8 as cost_usd,
    pg_column_size(s.*) as row_bytes,
-- include simulated_attributes
from crucible.logs s
left join crucible.resources r on r.resource_id = s.resource_id
where s.time >= %(from_time)s
  and s.time < %(to_time)s
-- include simulated_experiment
order by s.time
