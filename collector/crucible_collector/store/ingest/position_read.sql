-- How far is this journal stored? A journal that is new to the database begins at %(head)s.
-- Primary key. Locks the row, so that a transaction still on its way ends before it is answered.
insert into crucible.positions (journal_id, position, updated_at, description)
values (%(journal_id)s, %(head)s, now(), %(description)s)
on conflict (journal_id) do update set description = excluded.description
returning position
