-- Is this journal's position still where the window begins, with nothing undecided? Moves it to the window's
-- end if so, and asks which days' traces the window has to write down (see trace_hints).
-- Primary key; the row lock makes a second writer of the same journal wait for the first one's end.
update crucible.positions
set
    position = %(end)s,
    updated_at = now(),
    stored_until = coalesce(%(stored_until)s, stored_until),
    heard_since = %(heard_since)s
where journal_id = %(journal_id)s and position = %(start)s and decided_position is null
returning (select late_before from crucible.trace_horizon)
