-- How far is this journal stored, and how far decided? A journal that is new to the database begins at
-- %(head)s.
-- Primary key. Locks the row, so that a transaction still on its way ends before it is answered.
insert into crucible.positions (journal_id, position, updated_at, heard_since, description)
values (%(journal_id)s, %(head)s, now(), %(heard_since)s, %(description)s)
on conflict (journal_id) do update set
    description = excluded.description,
    updated_at = excluded.updated_at,
    heard_since = excluded.heard_since
returning position, coalesce(decided_position, position)
