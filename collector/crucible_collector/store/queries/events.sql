-- Which events match these filters, newest first?
-- Leans on the index of the narrowest filter given (run, trace, correlation), else on time.
select
-- include event_columns
from (
    select *
    from crucible.spans
    where (%(experiment)s::text is null or experiment_id = %(experiment)s)
      and (%(run)s::text is null or run_id = %(run)s)
      and (%(event)s::text is null or event_name = %(event)s)
      and (
          %(correlation)s::text is null
          or correlation_id = %(correlation)s
          or (correlation_id is null and trace_id = %(correlation_trace)s::uuid)
      )
      and (%(trace)s::uuid is null or trace_id = %(trace)s)
      and (%(status)s::smallint is null or status_code = %(status)s)
      and (%(from_time)s::timestamptz is null or time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or time < %(to_time)s)
      and (
          %(last_time)s::timestamptz is null
          or (
              time <= %(last_time)s
              and (time, time_ns_rest, trace_id, span_id)
                  <= (%(last_time)s, %(last_rest)s, %(last_trace)s::uuid, %(last_span)s)
          )
      )
    order by time desc, time_ns_rest desc, trace_id desc, span_id desc
    limit %(limit)s offset %(skip)s
) s
left join crucible.resources r on r.resource_id = s.resource_id
left join crucible.scopes c on c.scope_id = s.scope_id
order by s.time desc, s.time_ns_rest desc, s.trace_id desc, s.span_id desc
