-- Sets a journal's position back after the journal lost its end.
-- Primary keys; forgets how windows beyond that were cut.
with lost as (
    delete from crucible.windows
    where journal_id = %(journal_id)s and end_position > %(position)s
)
update crucible.positions
set
    position = %(position)s,
    decided_position = case when decided_position < %(position)s then decided_position end,
    updated_at = now()
where journal_id = %(journal_id)s
