-- Which rows may a transaction have written that were a day old by then? No index of its own: included in
-- a where clause. Others that lie between them come with them.
          and time < %(packed_before)s::timestamptz
