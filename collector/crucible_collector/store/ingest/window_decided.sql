-- The window that begins here is decided, and kept for learning from it again.
-- Primary key.
update crucible.windows
set is_decided = true
where journal_id = %(journal_id)s and start_position = %(start)s
