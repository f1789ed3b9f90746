-- How far is an archive, or what became of it?
-- Leans on the primary key.
select
-- include archive_columns
-- include archive_from
where archives.archive_id = %(archive)s
