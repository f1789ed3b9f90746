-- Sets a journal's position back after the journal lost its end.
-- Primary key.
update crucible.positions
set position = %(position)s, updated_at = now()
where journal_id = %(journal_id)s
