-- Which log records are asked for, and which of them come after the cursor, newest first?
-- No index of its own: included where the query around it has chosen one. Records of the very same time
-- are ordered by all that a reader sees of them, so that pages neither repeat nor miss one.
    and (%(severity)s::smallint is null or severity_number >= %(severity)s)
    and (%(reason)s::text is null or keep_reason = %(reason)s)
    and (%(reasons)s::text[] is null or keep_reason = any(%(reasons)s))
    and (%(from_time)s::timestamptz is null or time >= %(from_time)s)
    and (%(to_time)s::timestamptz is null or time < %(to_time)s)
    and (
        %(last_time)s::timestamptz is null
        or (time <= %(last_time)s and (time, time_ns_rest) <= (%(last_time)s, %(last_rest)s))
    )
order by
    time desc, time_ns_rest desc, trace_id, span_id, resource_id, scope_id, run_id, step, epoch,
    observed_time, severity_number, body, attributes
