-- What the samplers learned up to here is on the collector's disk.
-- Primary key.
delete from crucible.windows
where journal_id = %(journal_id)s and end_position <= %(before)s
