-- What became of the records of a window: adds to the delivery ledger.
-- Primary key; the rows of a journal are written by its one writer alone.
insert into crucible.ledger as known (journal_id, signal, outcome, reason, count)
values (%(journal_id)s, %(signal)s, %(outcome)s, %(reason)s, %(count)s)
on conflict (journal_id, signal, outcome, reason) do update set count = known.count + excluded.count
