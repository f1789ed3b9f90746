-- Is this journal's position still where the window begins? Moves it to the window's end if so; what was
-- decided stays where it is. Asks which days' traces the window has to write down (see trace_hints).
-- Primary key; locks as position.sql does.
update crucible.positions
set
    position = %(end)s,
    decided_position = coalesce(decided_position, position),
    updated_at = now(),
    stored_until = coalesce(%(stored_until)s, stored_until),
    heard_since = %(heard_since)s
where journal_id = %(journal_id)s and position = %(start)s
returning (select late_before from crucible.trace_horizon)
