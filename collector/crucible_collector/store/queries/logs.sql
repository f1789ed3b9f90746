-- Which log records match these filters, newest first?
-- Leans on the index of the narrowest filter given (run, trace), else on time.
select
-- include log_columns
from (
    select *
    from crucible.logs
    where (%(experiment)s::text is null or experiment_id = %(experiment)s)
      and (%(run)s::text is null or run_id = %(run)s)
      and (%(trace)s::uuid is null or trace_id = %(trace)s)
      and (%(severity)s::smallint is null or severity_number >= %(severity)s)
      and (%(from_time)s::timestamptz is null or time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or time < %(to_time)s)
      and (
          %(last_time)s::timestamptz is null
          or (time <= %(last_time)s and (time, time_ns_rest) <= (%(last_time)s, %(last_rest)s))
      )
    order by time desc, time_ns_rest desc, trace_id, span_id, observed_time, severity_number, body, attributes
    limit %(limit)s offset %(skip)s
) l
left join crucible.resources r on r.resource_id = l.resource_id
left join crucible.scopes c on c.scope_id = l.scope_id
order by l.time desc, l.time_ns_rest desc, l.trace_id, l.span_id, l.observed_time, l.severity_number, l.body, l.attributes
