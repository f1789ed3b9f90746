-- Is this journal decided just up to where the window begins? Moves that to the window's end if so, and asks
-- which days' traces the window has to write down (see trace_hints).
-- Primary key; locks as position.sql does. How far all is stored (%(stored_until)s) was said ahead.
update crucible.positions
set
    decided_position = nullif(%(end)s::bigint, position),
    updated_at = now(),
    heard_since = %(heard_since)s
where journal_id = %(journal_id)s and decided_position = %(start)s
returning (select late_before from crucible.trace_horizon)
