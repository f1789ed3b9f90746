-- Is this journal still stored, and decided, up to just here, with nothing waiting? Then all is stored that
-- its collector received until now.
-- Primary key.
update crucible.positions
set
    updated_at = now(),
    stored_until = coalesce(%(stored_until)s, stored_until),
    heard_since = %(heard_since)s
where
    journal_id = %(journal_id)s
    and position = %(position)s
    and coalesce(decided_position, position) = %(decided)s
