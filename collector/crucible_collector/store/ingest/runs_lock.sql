-- Locks the runs that a window writes to, before two statements write to some each.
-- Primary key, in run_id order.
select from crucible.runs where run_id = any(%(run_ids)s::text[]) order by run_id for update
