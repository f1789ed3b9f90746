-- How was the journal cut here, and which of the requests were duplicates?
-- Primary key; a database that was set back meets a window again, perhaps cut otherwise.
insert into crucible.windows as known
    (journal_id, start_position, end_position, duplicates)
values
    (%(journal_id)s, %(start)s, %(end)s, %(duplicates)s::int[])
on conflict (journal_id, start_position) do update set
    end_position = excluded.end_position,
    duplicates = excluded.duplicates
