-- Which checkpoints did a run save, oldest first?
-- Leans on spans_event between the first and the last that is known of the run: checkpoints are few, and a
-- run's batches many.
select
    crucible.rfc3339(s.time, s.time_ns_rest) as time,
    s.duration_ns / 1e6::float8 as duration_ms,
    replace(s.trace_id::text, '-', '') as trace_id,
    lpad(to_hex(s.span_id), 16, '0') as span_id,
    s.step,
    s.epoch,
    s.attributes ->> 'crucible.checkpoint.path' as path,
    s.attributes ->> 'crucible.checkpoint.name' as name,
    s.attributes ->> 'crucible.checkpoint.kind' as kind,
    crucible.number_of(s.attributes -> 'crucible.measurement.model_size_bytes') as model_size_bytes,
    coalesce(
        (
            select json_object_agg(substr(key, 22), crucible.number_of(value) order by key)
            from jsonb_each(s.attributes)
            where starts_with(key, 'crucible.measurement.')
              and key <> 'crucible.measurement.model_size_bytes'
              and crucible.number_of(value) is not null
        ),
        '{}'
    ) as metrics,
    s.status_code = 2 as is_error,
    s.sample_probability
from crucible.runs r
join crucible.spans s
    on s.event_name = 'crucible_train.checkpoint.saved'
   and s.run_id = r.run_id
   and s.time >= r.first_seen
   and s.time <= r.last_seen
where r.run_id = %(run)s
  and (%(last_time)s::timestamptz is null
       or (s.time, s.time_ns_rest, s.span_id) >= (%(last_time)s, %(last_rest)s::smallint, %(last_span)s::bigint))
order by s.time, s.time_ns_rest, s.span_id
limit %(limit)s offset %(skip)s
