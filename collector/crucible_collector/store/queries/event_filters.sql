-- Which events are asked for, and which of them come after the cursor, newest first?
-- No index of its own: included where the query around it has chosen one.
    and (%(event)s::text is null or event_name = %(event)s)
    and (%(status)s::smallint is null or status_code = %(status)s)
    and (%(reason)s::text is null or keep_reason = %(reason)s)
    and (%(reasons)s::text[] is null or keep_reason = any(%(reasons)s))
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
