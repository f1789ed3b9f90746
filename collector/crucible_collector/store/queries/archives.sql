-- Which archives are there, the newest first?
-- No index: archives are few.
select
-- include archive_columns
-- include archive_from
where (%(last_created)s::timestamptz is null
       or (archives.created_at, archives.archive_id) <= (%(last_created)s, %(last_id)s::uuid))
order by archives.created_at desc, archives.archive_id desc
limit %(limit)s offset %(skip)s
