-- Which rows did a transaction (w) write? No index of its own: included in a where clause. PostgreSQL keeps
-- with each row who wrote it. Where TimescaleDB has packed a chunk it does not, and refuses to be asked: the
-- constant keeps these out of the plan.
          and time >= %(packed_before)s::timestamptz
          and (not w.is_exact or xmin = w.window_xid::xid)
